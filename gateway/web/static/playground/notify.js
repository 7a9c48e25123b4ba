// Tells when a task ends: page title, a desktop notification where it was asked for, the live region.

import { find, setText } from "../shared/dom.js";
import { languageChanged, t } from "../shared/i18n.js";
import { load, save } from "../shared/storage.js";
import { stateOf } from "./card.js";
import * as store from "./store.js";

const NAME = "video-gateway";
const ENDS = {
  completed: "announce.completed",
  failed: "announce.failed",
  cancelled: "announce.cancelled",
  gone: "announce.gone",
  unconfirmed: "announce.unconfirmed",
};
const CHANGES = { ...ENDS, pending: "announce.pending", processing: "announce.processing" };

let news = "";

export function canNotify() {
  return isSecureContext && "Notification" in globalThis;
}

export function notifying() {
  return canNotify() && load("notify", false) && Notification.permission === "granted";
}

/** Asks for permission the first time. Returns whether notifications are on. */
export async function toggleNotifications() {
  const on =
    !notifying() && (Notification.permission === "granted" || (await Notification.requestPermission()) === "granted");
  save("notify", on);
  return on;
}

function showTitle() {
  const running = store.all().filter((record) => !store.ended(record));
  const percent = Math.max(0, ...running.map((record) => record.progress ?? 0));
  if (news) document.title = `${news} · ${NAME}`;
  else document.title = running.length ? `(${running.length}) ${percent} % · ${NAME}` : NAME;
}

function short(record) {
  const words = [...(record.prompt || record.id)];
  return words.length > 60 ? `${words.slice(0, 60).join("")}…` : words.join("");
}

export function announce(text) {
  setText(find("#live"), text);
}

function tell(record) {
  const state = stateOf(record);
  const text = CHANGES[state] && t(CHANGES[state], { prompt: short(record) });
  if (text) announce(text);
  if (!(state in ENDS)) return;
  if (state === "completed") news = t("title.ready");
  else if (state === "failed") news = t("title.failed");
  if (!notifying() || !document.hidden || state === "cancelled") return;
  const notification = new Notification(text, {
    tag: record.local,
    icon: record.result?.cover_url || record.thumbnail || undefined,
  });
  notification.addEventListener("click", () => (window.focus(), notification.close()));
}

export function mountNotifications() {
  store.changed.on((local, before) => {
    const record = local && store.get(local);
    if (record && before) tell(record);
    showTitle();
  });
  // Whoever comes back or does something has seen the news.
  const seen = () => {
    if (document.hidden || !news) return;
    news = "";
    showTitle();
  };
  document.addEventListener("visibilitychange", seen);
  for (const type of ["pointerdown", "keydown"]) addEventListener(type, seen);
  languageChanged.on(showTitle);
  showTitle();
}
