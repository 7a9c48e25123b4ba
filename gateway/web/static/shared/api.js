// Calls of this gateway with the key. Errors are `ApiError`: the gateway's own, or status 0 where it did not answer.

import { language, t } from "./i18n.js";

/** Where the gateway is: two folders above its assets, behind whatever prefix a proxy adds. */
export const BASE = new URL("../../../", import.meta.url);

const TIMEOUT_MS = 30_000;

export class ApiError extends Error {
  constructor(status, fields, headers) {
    super(fields.message);
    this.status = status;
    this.code = fields.code ?? "";
    this.param = fields.param ?? null;
    this.requestId = fields.request_id ?? "";
    this.retryAfter = Number(headers?.get("retry-after")) || 0;
  }

  /** The gateway did not answer, or a proxy says that it is away. */
  get away() {
    return this.status === 0 || (this.code === "" && this.status >= 502);
  }
}

let key = "";

export function setKey(value) {
  key = value;
}

export function url(path) {
  return new URL(path, BASE).href;
}

function headers(more = {}) {
  return { "Accept-Language": language(), ...(key ? { Authorization: `Bearer ${key}` } : {}), ...more };
}

/** The response to a call that went well. `timeout` in ms is until its head; 0 for none. Raises ApiError. */
export function call(path, options) {
  return request(path, options, (response) => response);
}

/** The content of a response and its headers; `timeout` is until its end. Raises ApiError. */
export function json(path, options) {
  return request(path, options, async (response) => ({ data: await response.json(), headers: response.headers }));
}

/** The same as text. */
export function text(path, options) {
  return request(path, options, (response) => response.text());
}

async function request(path, { method = "GET", body, signal, timeout = TIMEOUT_MS, ...more } = {}, read) {
  const limit = new AbortController();
  const timer = timeout ? setTimeout(() => limit.abort(), timeout) : 0;
  const stop = () => limit.abort();
  signal?.addEventListener("abort", stop);
  try {
    const given = { method, body, headers: headers(more.headers), signal: limit.signal, cache: "no-store" };
    const response = await fetch(url(path), given);
    if (!response.ok) throw await failure(response);
    return await read(response);
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    throw new ApiError(0, { message: t("error.away") });
  } finally {
    clearTimeout(timer);
    // A stream goes on after its head; its reader listens to the same signal.
    if (!timeout) signal?.addEventListener("abort", stop);
    else signal?.removeEventListener("abort", stop);
  }
}

async function failure(response) {
  const text = await response.text().catch(() => "");
  let fields = null;
  try {
    fields = JSON.parse(text).error;
  } catch {
    // The page of a proxy.
  }
  const unknown = { message: t("error.status", { status: response.status }) };
  return new ApiError(response.status, fields?.message ? fields : unknown, response.headers);
}

/** Milliseconds until the next poll, as the response says; `fallback` where it says nothing. */
export function pollAfter(responseHeaders, fallback) {
  const precise = Number(responseHeaders.get("openai-poll-after-ms"));
  const coarse = Number(responseHeaders.get("retry-after")) * 1000;
  return precise || coarse || fallback;
}

/** A UUID; `crypto.randomUUID` is missing on plain http. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
