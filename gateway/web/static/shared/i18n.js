// Two languages, switched without a reload. Elements with `data-t` (text), `data-t-label` (aria-label and title) or
// `data-t-placeholder` hold a key; everything else calls `t`.

import { Signal, setText } from "./dom.js";
import { saveWord } from "./storage.js";

const tables = { zh: {}, en: {} };
export const languageChanged = new Signal();

let current = document.documentElement.lang.startsWith("zh") ? "zh" : "en";

export function addTexts(language, texts) {
  Object.assign(tables[language], texts);
}

export function language() {
  return current;
}

export function setLanguage(name) {
  current = name === "zh" ? "zh" : "en";
  saveWord("language", current);
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  translate(document);
  languageChanged.emit(current);
}

/** The text of a key, with `{name}` replaced by values. */
export function t(key, values = {}) {
  const text = tables[current][key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** The text of a key that may have none. */
export function maybe(key) {
  return tables[current][key];
}

export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) setText(element, t(element.dataset.t));
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
    element.title = t(element.dataset.tLabel);
  }
  for (const element of root.querySelectorAll("[data-t-placeholder]")) {
    element.placeholder = t(element.dataset.tPlaceholder);
  }
}
