// Follows unfinished tasks: events for the newest few, one batched poll for the rest and wherever events do not work.
// Knows whether the gateway is away, waits for it and goes on.

import { ApiError, call, json, pollAfter } from "../shared/api.js";
import { Signal } from "../shared/dom.js";
import { NoStream, events } from "../shared/sse.js";
import * as store from "./store.js";

// A browser opens six connections to a host over HTTP/1.1: submits, polls and videos need some.
const MAX_STREAMS = 3;
const IDS_PER_POLL = 100;
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
const POLL_MS = { least: 300, usual: 2000, most: 15_000, late: 15_000 };

/** Told `true` when the gateway goes away and `false` when it is back. */
export const awayChanged = new Signal();
/** Told the ApiError when the key is refused. */
export const refused = new Signal();

const streams = new Map();
const pollOnly = new Set();
let streaming = true;
let stopped = true;
let away = false;
let back = Promise.resolve();
let wake = () => {};

export function isAway() {
  return away;
}

/** Begin anew, with the present key. */
export function restart() {
  for (const controller of streams.values()) controller.abort();
  streams.clear();
  pollOnly.clear();
  streaming = true;
  stopped = false;
  sync();
}

export function stop() {
  stopped = true;
  for (const controller of streams.values()) controller.abort();
  streams.clear();
}

/** Call after tasks were added or ended: streams go to the newest, polls to the others. */
export function sync() {
  if (stopped) return;
  const open = store.unfinished();
  const chosen = streaming ? open.filter((record) => !pollOnly.has(record.local)).slice(0, MAX_STREAMS) : [];
  for (const [local, controller] of streams) {
    if (!open.some((record) => record.local === local)) controller.abort();
  }
  for (const record of chosen) {
    if (streams.size < MAX_STREAMS && !streams.has(record.local)) follow(record);
  }
  wake();
}

async function follow(record) {
  const controller = new AbortController();
  const { signal } = controller;
  streams.set(record.local, controller);
  try {
    for (let failures = 0; !signal.aborted && !store.ended(record); failures += 1) {
      await back;
      if (failures) await pause(BACKOFF_MS[Math.min(failures - 1, BACKOFF_MS.length - 1)], signal);
      if (signal.aborted) return;
      try {
        for await (const { event, data } of events(`v1/videos/tasks/${encodeURIComponent(record.id)}/events`, {
          signal,
        })) {
          failures = 0;
          // After the last event, "end" or "reconnect", the gateway closes the stream.
          if (event === "status" || event === "end") store.apply(record.local, JSON.parse(data));
          if (event === "timeout") return late(record);
          if (event === "unauthorized") throw new ApiError(200, JSON.parse(data).error);
        }
      } catch (error) {
        if (signal.aborted || !handled(error, record)) return;
      }
    }
  } finally {
    if (streams.get(record.local) === controller) streams.delete(record.local);
    sync();
  }
}

/** Whether the stream is worth another try. */
function handled(error, record) {
  if (error instanceof ApiError) {
    if (error.away) {
      setAway();
      return true;
    }
    if (error.code === "invalid_api_key") refuse(error);
    else if (error.code === "task_not_found") store.apply(record.local, { status: "gone" });
    else if (error.status === 404 || error.status === 405 || error.status === 501) streaming = false;
    // As many streams as this gateway allows, or an upstream that is in trouble: polls tell more.
    else pollOnly.add(record.local);
    return false;
  }
  if (error instanceof NoStream) {
    streaming = false;
    return false;
  }
  return true;
}

function late(record) {
  pollOnly.add(record.local);
  store.change(record.local, { late: true });
}

function refuse(error) {
  stop();
  refused.emit(error);
}

/** Polls everything that has no stream, for as long as the page lives. */
export async function pollForever() {
  for (;;) {
    await back;
    const woken = new Promise((resolve) => (wake = resolve));
    const due = stopped ? [] : store.unfinished().filter((record) => !streams.has(record.local));
    if (!due.length) {
      await woken;
      continue;
    }
    try {
      const wait = await poll(due);
      const slow = due.every((record) => record.late);
      await Promise.race([pause(slow ? POLL_MS.late : wait), added(due, woken)]);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.away) setAway();
      else if (error.status === 401) refuse(error);
      else await pause(Math.max(error.retryAfter * 1000, POLL_MS.usual));
    }
  }
}

/** Resolves when there is a task to poll that was not among `due`. */
async function added(due, woken) {
  for (let next = woken; ; next = new Promise((resolve) => (wake = resolve))) {
    await next;
    if (store.unfinished().some((record) => !streams.has(record.local) && !due.includes(record))) return;
  }
}

/** Query tasks once. Returns the milliseconds until the next poll. */
export async function poll(records) {
  let wait = POLL_MS.usual;
  for (let start = 0; start < records.length; start += IDS_PER_POLL) {
    const some = records.slice(start, start + IDS_PER_POLL);
    const ids = some.map((record) => encodeURIComponent(record.id)).join(",");
    const { data, headers } = await json(`v1/videos/tasks?ids=${ids}`);
    const byId = new Map(data.data.map((task) => [task.task_id, task]));
    for (const record of some) {
      const task = byId.get(record.id);
      if (task) store.apply(record.local, task.status === "not_found" ? { status: "gone" } : task);
    }
    wait = pollAfter(headers, POLL_MS.usual);
  }
  return Math.min(Math.max(wait, POLL_MS.least), POLL_MS.most);
}

/** Find tasks of this key that were submitted elsewhere, or before this browser forgot them. */
export async function findUnfinished() {
  const { data } = await json("v1/videos/tasks?status=unfinished");
  store.discover(data.data);
  sync();
}

/** The gateway does not answer: wait until it does. */
export function setAway() {
  if (away) return;
  away = true;
  awayChanged.emit(true);
  back = returned().then(() => {
    away = false;
    awayChanged.emit(false);
    sync();
  });
}

async function returned() {
  for (let tries = 0; ; tries += 1) {
    await Promise.race([pause(BACKOFF_MS[Math.min(tries, BACKOFF_MS.length - 1)]), online()]);
    try {
      await call("ping", { timeout: 5000 });
      return;
    } catch (error) {
      if (error instanceof ApiError && !error.away) return;
    }
  }
}

function online() {
  return new Promise((resolve) => addEventListener("online", resolve, { once: true }));
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
