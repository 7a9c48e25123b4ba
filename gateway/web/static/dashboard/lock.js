// The card that asks for the admin key.

import { find, h, icon } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { keyField, rememberSwitch } from "../shared/key_field.js";

/** Fill the card, with what the gateway said to the last key. `onKey` gets another one. What is being typed stays. */
export function showLock(said, onKey) {
  const card = find("#locked");
  const value = card.querySelector("input")?.value ?? "";
  const { input, element } = keyField({ id: "admin-key", value, placeholder: "GATEWAY_ADMIN_KEY" });
  const submit = (event) => (event.preventDefault(), onKey(input.value.trim()));
  card.replaceChildren(
    h("h2", {}, t("dashboard.locked")),
    h("p.meta", { id: "admin-key-hint" }, t("dashboard.hint")),
    h(
      "form.key-form",
      { onsubmit: submit },
      h("label.label", { for: "admin-key" }, t("key.label")),
      h("div.key-row", {}, element, h("button.button.primary", { type: "submit" }, t("key.use"))),
      rememberSwitch(),
    ),
    said ? h("p.field-error", { role: "alert" }, icon("alert"), h("span", {}, said)) : "",
  );
}
