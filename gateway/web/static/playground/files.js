// Files of earlier requests, in this browser's IndexedDB, so that a request can be made again after a reload. Where the
// browser has none, or the user wants nothing kept, they live as long as the page.

import { remembers } from "../shared/storage.js";

const NAME = "video-gateway";
const STORE = "inputs";
const MAX_REQUESTS = 20;
const MAX_BYTES = 200 * 1024 * 1024;

const memory = new Map();
let opening = null;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "local" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

/** Run `work` on the store. Returns its result; undefined where the browser keeps no files. */
async function transact(mode, work) {
  try {
    const transaction = (await database()).transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } catch {
    return undefined;
  }
}

/** Keep the inputs of a task; the oldest go when there are many, or much. */
export async function keepInputs(local, items) {
  const inputs = items.map(({ kind, role, file, address, name }) => ({ kind, role, file, address, name }));
  memory.set(local, inputs);
  const size = inputs.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
  if (!size || size > MAX_BYTES || !remembers()) return;
  await transact("readwrite", (store) => store.put({ local, inputs, size, at: Date.now() }));
  const kept = (await transact("readonly", (store) => store.getAll())) ?? [];
  let bytes = 0;
  for (const [index, record] of kept.sort((one, other) => other.at - one.at).entries()) {
    bytes += record.size;
    if (index >= MAX_REQUESTS || bytes > MAX_BYTES) await transact("readwrite", (store) => store.delete(record.local));
  }
}

/** The inputs of a task; empty where they are not kept. */
export async function inputsOfTask(local) {
  return memory.get(local) ?? (await transact("readonly", (store) => store.get(local)))?.inputs ?? [];
}

/** Delete all files, or those of the tasks that `gone` tells. */
export async function forgetFiles(gone = () => true) {
  for (const local of memory.keys()) if (gone(local)) memory.delete(local);
  const kept = (await transact("readonly", (store) => store.getAllKeys())) ?? [];
  for (const local of kept) if (gone(local)) await transact("readwrite", (store) => store.delete(local));
}
