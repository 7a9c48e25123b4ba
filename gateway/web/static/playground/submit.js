// Sends what the form says. One submit has one Idempotency-Key, also when it is sent again.

import { ApiError, json, uuid } from "../shared/api.js";
import { keepInputs } from "./files.js";
import { encode, fieldsOf, inputsOf, revisedOf } from "./request.js";
import { compose } from "./shot.js";
import * as store from "./store.js";

// Pictures take their time over a slow line.
const TIMEOUT_MS = 300_000;

/** The submit that failed last: the same request gets the same Idempotency-Key. */
let failed = null;

/** Submit a draft. The task is in the store at once, and out of it again where the gateway refuses the submit.
 * Returns the answer; raises ApiError. */
export async function submit(draft, model, terms, { thumbnail = "" } = {}) {
  const fields = fieldsOf(draft, model, terms);
  const given = inputsOf(draft);
  const fingerprint = JSON.stringify([fields, given.map(([field, value, name]) => [field, name, value.size ?? value])]);
  const idempotencyKey = failed?.fingerprint === fingerprint ? failed.idempotencyKey : uuid();
  if (failed?.fingerprint === fingerprint && failed.local) store.remove((record) => record.local === failed.local);
  const local = uuid();
  keepInputs(
    local,
    draft.inputs.filter((item) => item.role),
  );
  store.add({
    local,
    state: "sending",
    created: Math.floor(Date.now() / 1000),
    model: model.id,
    provider: model.owned_by,
    prompt: revisedOf(draft) ?? compose(terms, { ...draft.shot, prompt: draft.prompt }),
    ratio: fields.ratio ?? "",
    resolution: fields.resolution ?? "",
    duration: fields.duration ?? null,
    hasInputs: given.length > 0,
    // A copy: the form goes on changing its own.
    draft: structuredClone({ ...draft, inputs: [] }),
    thumbnail,
  });
  try {
    const { data } = await json("v1/videos/generations", {
      method: "POST",
      timeout: TIMEOUT_MS,
      ...withKey(encode(fields, given), idempotencyKey),
    });
    failed = null;
    const { task_id: id, created, model: used, provider, warnings = [], revised_prompt: revised } = data;
    const made = revised === undefined ? {} : { prompt: revised };
    store.change(local, { id, state: "pending", created, model: used, provider, seenAt: Date.now(), warnings, ...made });
    return data;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const unconfirmed = error.away || error.code === "submission_unconfirmed";
    failed = { fingerprint, idempotencyKey, local: unconfirmed ? local : null };
    if (unconfirmed)
      store.change(local, { state: "failed", unconfirmed: true, error: error.message, endedAt: Date.now() });
    else store.remove((record) => record.local === local);
    throw error;
  }
}

function withKey({ body, headers }, idempotencyKey) {
  // The answer is wanted at once, whatever the gateway does by default.
  return { body, headers: { ...headers, "Idempotency-Key": idempotencyKey, Prefer: "respond-async" } };
}
