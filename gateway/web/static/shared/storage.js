// What this browser keeps. Preferences are always kept; the key and the tasks only while `remembers()` says so.

const PREFIX = "video-gateway.";
const PRIVATE = new Set(["key", "tasks", "draft", "admin-key"]);
const memory = new Map();

/** What a value is called in the storage, for events of other tabs. */
export function storageName(name) {
  return PREFIX + name;
}

function stored(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

function store(name, text) {
  try {
    if (text === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, text);
  } catch {
    // Storage is full or switched off: the page goes on with its memory.
  }
}

export function remembers() {
  return stored("remember") !== "no";
}

/** The value kept under a name, `fallback` without one. */
export function load(name, fallback = null) {
  if (memory.has(name)) return memory.get(name);
  try {
    return JSON.parse(stored(name)) ?? fallback;
  } catch {
    return fallback;
  }
}

export function save(name, value) {
  memory.set(name, value);
  if (!PRIVATE.has(name) || remembers()) store(name, value === null ? null : JSON.stringify(value));
}

/** Keep private values from now on, or keep none of them beyond this page. */
export function setRemembering(on) {
  store("remember", on ? null : "no");
  for (const name of PRIVATE) {
    if (!on) store(name, null);
    else if (memory.get(name) != null) store(name, JSON.stringify(memory.get(name)));
  }
}

/** Delete private values, here and in storage. */
export function forget(names) {
  for (const name of names) {
    memory.delete(name);
    store(name, null);
  }
}

// Preferences that `early.js` reads are plain words.
export function loadWord(name) {
  return stored(name);
}

export function saveWord(name, word) {
  store(name, word);
}
