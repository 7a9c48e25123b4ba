// The key: what it is, where it is kept, and the panel to give or forget it.

import { setKey as useKey } from "../shared/api.js";
import { Signal, find, h, icon, setText } from "../shared/dom.js";
import { language, languageChanged, t } from "../shared/i18n.js";
import { keyField, rememberSwitch } from "../shared/key_field.js";
import { forget, load, save } from "../shared/storage.js";

export const keyChanged = new Signal();

let key = load("key", "");
useKey(key);

export function currentKey() {
  return key;
}

/** A short name for a key under which its tasks are kept. It does not lead back to the key. */
export function keyTag(value = key) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(value)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return value ? hash.toString(36) : "";
}

export function setKey(value) {
  key = value.trim();
  useKey(key);
  save("key", key || null);
  keyChanged.emit(key);
}

export function credentialHint(site) {
  const upstream = site.credentials[language()];
  if (!site.accepts.includes("upstream")) return t("key.hint.gateway");
  return site.accepts.includes("gateway") ? t("key.hint.both", { upstream }) : t("key.hint.upstream", { upstream });
}

/** The field with its buttons, for the panel and the welcome card. */
export function keyForm(site, { id, onForget = null, onDone = () => {} }) {
  const { input, element } = keyField({
    id,
    value: key,
    placeholder: site.accepts.includes("upstream") ? "sk-… / sessionid / gw-…" : "gw-…",
  });
  const done = (value) => {
    setKey(value);
    onDone();
  };
  const sample =
    site.sample_key && !key
      ? h("button.button", { type: "button", onclick: () => done(site.sample_key) }, icon("spark"), t("key.sample"))
      : null;
  return h(
    "form.key-form",
    { onsubmit: (event) => (event.preventDefault(), done(input.value)) },
    h(
      "div.field",
      {},
      h("label.label", { for: id }, t("key.label")),
      h(
        "div.key-row",
        {},
        element,
        h("button.button.primary", { type: "submit" }, t("key.use")),
      ),
      h("p.meta", { id: `${id}-hint` }, site.sandbox ? t("key.hint.sandbox") : credentialHint(site)),
    ),
    sample,
    h(
      "div.key-foot",
      {},
      rememberSwitch(),
      key && onForget
        ? h("button.button.small", { type: "button", onclick: onForget }, icon("remove"), t("key.forget"))
        : null,
    ),
    h("p.meta", {}, t("key.only_here")),
  );
}

/** The button in the header and its panel. `onForget` clears what else is kept. */
export function mountKey(site, onForget) {
  const button = find("#key-button");
  const panel = find("#key-panel");
  const forgetAll = () => {
    forget(["key", "tasks", "draft"]);
    key = "";
    useKey("");
    panel.hidePopover();
    onForget();
    keyChanged.emit("");
  };
  const show = () => {
    const shown = key ? t("key.button", { end: key.length > 8 ? key.slice(-4) : "····" }) : t("key.add");
    const words = h("span", {});
    setText(words, shown);
    button.replaceChildren(icon("key"), words);
    button.classList.toggle("primary", !key);
  };
  panel.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open") return;
    panel.replaceChildren(keyForm(site, { id: "key-field", onForget: forgetAll, onDone: () => panel.hidePopover() }));
    find("#key-field", panel).autofocus = true;
  });
  panel.setAttribute("role", "dialog");
  const label = () => panel.setAttribute("aria-label", t("key.label"));
  keyChanged.on(show);
  languageChanged.on(() => (show(), label()));
  show();
  label();
}
