// The tasks of this browser, newest first, kept between visits. One record for each task.

import { Signal } from "../shared/dom.js";
import { load, save, storageName } from "../shared/storage.js";

const MAX_KEPT = 200;
const ENDED = new Set(["completed", "failed", "gone"]);

export const changed = new Signal();

let records = load("tasks", []).map(afterReload);
let owner = "";
let saving = 0;

/** A submit whose answer this page did not live to see. */
function afterReload(record) {
  return record.state === "sending" ? { ...record, state: "failed", unconfirmed: true, endedAt: Date.now() } : record;
}

export function ended(record) {
  return ENDED.has(record.state);
}

/** Show the tasks of one key only. `tag` stands for the key and does not tell it. */
export function setOwner(tag) {
  owner = tag;
  changed.emit();
}

export function all() {
  return records.filter((record) => record.owner === owner);
}

export function unfinished() {
  return all().filter((record) => !ended(record) && record.id);
}

export function get(local) {
  return records.find((record) => record.local === local);
}

/** Add a task at the top; `local` is its name in this browser, which it has before the gateway gives it an id. */
export function add(record) {
  records = [{ ...record, owner, seenAt: Date.now() }, ...records].slice(0, MAX_KEPT);
  keep();
  changed.emit(record.local);
}

/** Tasks that the upstream lists and this browser does not know, by age among the others. */
export function discover(tasks) {
  for (const task of tasks) {
    const known = all().some((one) => one.id === task.task_id || sameTask(one, task));
    if (!known) {
      const fields = {
        ...fieldsOf(task),
        id: task.task_id,
        local: task.task_id,
        owner,
        prompt: "",
        seenAt: Date.now(),
      };
      records.push({ created: Math.floor(Date.now() / 1000), ...fields });
    }
  }
  records.sort((one, other) => other.created - one.created);
  keep();
  changed.emit();
}

/** Lists may name a task by another id: then only its model and time tell. */
function sameTask(record, task) {
  const near = Math.abs((record.created ?? 0) - (task.created ?? 0)) <= 2;
  return record.id !== task.task_id && record.model === task.model && near;
}

/** Take over a status object. Progress never falls, and nothing follows an end. */
export function apply(local, task) {
  const record = get(local);
  if (!record || (ended(record) && !ENDED.has(task.status))) return;
  const progress = Math.max(record.progress ?? 0, task.progress ?? 0);
  const endedAt = ENDED.has(task.status) && !ended(record) ? Date.now() : record.endedAt;
  change(local, {
    message: "",
    queue: null,
    stale: false,
    error: "",
    ...fieldsOf(task),
    progress,
    endedAt,
    seenAt: task.stale ? record.seenAt : Date.now(),
  });
}

function fieldsOf(task) {
  const {
    status,
    message,
    queue,
    result,
    error,
    error_code: errorCode,
    stale,
    created,
    model,
    provider,
    archived,
    progress,
  } = task;
  const fields = {
    state: status,
    message,
    queue,
    result,
    error,
    errorCode,
    stale,
    created,
    model,
    provider,
    archived,
    progress,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

export function change(local, fields) {
  const record = get(local);
  if (!record) return;
  const before = record.state;
  Object.assign(record, fields);
  keep();
  changed.emit(local, before === record.state ? null : before);
}

export function remove(test) {
  records = records.filter((record) => record.owner !== owner || !test(record));
  keep();
  changed.emit();
}

export function clear() {
  records = [];
  save("tasks", records);
  changed.emit();
}

/** Another tab of this browser has written its tasks: take over what it knows more of. */
function merge(theirs) {
  const byLocal = new Map(theirs.map((record) => [record.local, record]));
  const mine = records.filter((record) => byLocal.has(record.local) || !ended(record));
  for (const record of mine) {
    const their = byLocal.get(record.local);
    if (their && (their.seenAt ?? 0) > (record.seenAt ?? 0)) Object.assign(record, their);
  }
  const known = new Set(mine.map((record) => record.local));
  records = [...mine, ...theirs.filter((record) => !known.has(record.local))];
  records.sort((one, other) => other.created - one.created);
  changed.emit();
}

addEventListener("storage", (event) => {
  if (event.key === storageName("tasks") && event.newValue) merge(JSON.parse(event.newValue));
});

/** Written at most once in a while: there may be many tasks with many changes. */
function keep() {
  saving ||= setTimeout(flush, 250);
}

export function flush() {
  clearTimeout(saving);
  saving = 0;
  save("tasks", records);
}

addEventListener("pagehide", () => saving && flush());
