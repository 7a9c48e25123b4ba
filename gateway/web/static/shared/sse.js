// Server-Sent Events over fetch, since EventSource sends no Authorization header.

import { call } from "./api.js";

/** The events of a text stream in pieces, as the standard parses them: `{event, data, id}`. */
export class EventParser {
  #rest = "";
  #event = "";
  #data = [];
  #id = "";

  push(text) {
    const events = [];
    // A CR at the end may be half of a CRLF: it waits for the next piece.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length)
          events.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
        this.#event = "";
        this.#data = [];
      } else if (!line.startsWith(":")) {
        this.#field(line);
      }
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id") this.#id = value;
  }
}

/** Events of a path until the stream ends. Ends with an error where nothing comes for `silence` ms, heartbeats
 * included: the way to the gateway is dead then. Raises ApiError before the stream begins. */
export async function* events(path, { signal, silence = 40_000 } = {}) {
  const watch = new AbortController();
  const stop = () => watch.abort();
  signal?.addEventListener("abort", stop);
  let timer = setTimeout(stop, silence);
  try {
    const response = await call(path, { signal: watch.signal, timeout: 0, headers: { Accept: "text/event-stream" } });
    if (!/^text\/event-stream/.test(response.headers.get("content-type") ?? "")) throw new NoStream();
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, silence);
      yield* parser.push(value);
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    watch.abort();
  }
}

/** The answer is no event stream: something in between changed it, or this gateway has none. */
export class NoStream extends Error {}
