// A field for a key, hidden unless it is to be seen, and the switch that lets this browser keep it.

import { h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { remembers, setRemembering } from "./storage.js";

/** The input, and the element with it and its button. */
export function keyField({ id, value, placeholder }) {
  const input = h("input.input", {
    id,
    type: "password",
    value,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    placeholder,
    "aria-describedby": `${id}-hint`,
  });
  const show = h("button.button.small.quiet.only-icon", { type: "button", "aria-pressed": "false" }, icon("eye"));
  const labelShow = () => {
    const shown = input.type === "text";
    show.replaceChildren(icon(shown ? "eye-off" : "eye"));
    show.setAttribute("aria-label", t(shown ? "key.hide" : "key.show"));
    show.title = t(shown ? "key.hide" : "key.show");
  };
  show.addEventListener("click", () => {
    input.type = input.type === "password" ? "text" : "password";
    labelShow();
  });
  labelShow();
  return { input, element: h("div.field-input", {}, input, show) };
}

export function rememberSwitch() {
  const input = h("input", {
    type: "checkbox",
    role: "switch",
    checked: remembers(),
    onchange: () => setRemembering(input.checked),
  });
  return h("label.switch", {}, input, h("span", {}, t("key.remember")));
}
