// Light, dark, or as the system has it.

import { loadWord, saveWord } from "./storage.js";

export const THEMES = ["auto", "light", "dark"];

export function theme() {
  const word = loadWord("theme");
  return THEMES.includes(word) ? word : "auto";
}

export function setTheme(name) {
  saveWord("theme", name === "auto" ? null : name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}
