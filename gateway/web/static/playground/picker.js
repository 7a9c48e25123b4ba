// The model picker: a combobox with a searchable list, grouped by provider.

import { h, icon } from "../shared/dom.js";
import { ranges } from "../shared/format.js";
import { maybe, t } from "../shared/i18n.js";

/** What a model offers, in one line. */
export function summary(model) {
  const seconds = model.durations.filter((value) => value > 0);
  const words = model.inputs.flatMap((set) =>
    set.length
      ? set.map((role) => (role.startsWith("reference_") ? t("model.references") : roleWord(role)))
      : t("model.text"),
  );
  const ratios = model.ratios.length > 4 ? t("model.ratios", { count: model.ratios.length }) : model.ratios.join(" ");
  return [seconds.length ? `${ranges(seconds)} s` : "", ratios, [...new Set(words)].join(", ")]
    .filter(Boolean)
    .join(" · ");
}

export function roleWord(role) {
  return maybe(`role.${role}`) ?? role;
}

export function titleOf(model) {
  return model.title || model.id;
}

export class ModelPicker {
  #models;
  #site;
  #onChoose;
  #chosen = null;
  #options = [];
  #active = -1;

  constructor(site, onChoose) {
    this.#site = site;
    this.#onChoose = onChoose;
    this.input = h("input.input", {
      id: "model",
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-expanded": "false",
      "aria-controls": "model-list",
      "aria-autocomplete": "list",
      "aria-haspopup": "listbox",
      "aria-describedby": "model-summary",
    });
    this.list = h("div.picker-list.floating", { id: "model-list", role: "listbox", hidden: true });
    this.summary = h("p.meta", { id: "model-summary" });
    this.element = h(
      "div.field",
      { "data-field": "model" },
      h("label.label", { for: "model" }, t("form.model")),
      h("div.picker", {}, this.input, icon("chevron"), this.list),
      this.summary,
    );
    this.list.setAttribute("aria-label", t("form.model"));
    this.input.addEventListener("focus", () => this.input.select());
    this.input.addEventListener("click", () => this.#open());
    this.input.addEventListener("input", () => this.#open(this.input.value));
    this.input.addEventListener("blur", () => this.#close());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    // A click in the list must not take the focus, which would close it.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  show(models, chosen) {
    this.#models = models;
    this.#chosen = chosen;
    this.input.disabled = !models.length;
    this.input.value = chosen ? titleOf(chosen) : "";
    this.input.placeholder = models.length ? t("model.search") : t("model.none");
    this.summary.textContent = chosen ? summary(chosen) : "";
  }

  #open(words = "") {
    if (!this.#models?.length) return;
    const needle = words.toLowerCase().split(/\s+/).filter(Boolean);
    const groups = new Map();
    for (const model of this.#models) {
      const text =
        `${model.id} ${model.title ?? ""} ${model.owned_by} ${this.#site.providers[model.owned_by] ?? ""}`.toLowerCase();
      if (model.alias_of || !needle.every((word) => text.includes(word))) continue;
      groups.set(model.owned_by, [...(groups.get(model.owned_by) ?? []), model]);
    }
    this.#options = [];
    this.list.replaceChildren(...[...groups].map(([provider, models]) => this.#group(provider, models)));
    if (!this.#options.length) this.list.append(h("p.meta.picker-group", {}, t("model.no_match")));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#move(needle.length ? 0 : this.#options.findIndex(({ model }) => model.id === this.#chosen?.id));
  }

  #group(provider, models) {
    const title = this.#site.providers[provider] ?? provider;
    const rows = models.map((model) => {
      const element = h(
        "div.option",
        {
          role: "option",
          id: `option-${this.#options.length}`,
          "aria-selected": String(model.id === this.#chosen?.id),
        },
        h(
          "span.option-title",
          {},
          titleOf(model),
          model.status === "available" ? null : h("span.chip.warning", {}, icon("alert"), t("model.unavailable")),
        ),
        h("span.meta", {}, summary(model)),
      );
      element.addEventListener("click", () => this.#choose(model));
      this.#options.push({ model, element });
      return element;
    });
    return h(
      "div",
      { role: "group", "aria-label": title },
      h("div.picker-group", { "aria-hidden": "true" }, title),
      rows,
    );
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.input.value = this.#chosen ? titleOf(this.#chosen) : "";
  }

  #choose(model) {
    this.#chosen = model;
    this.#close();
    this.#onChoose(model);
  }

  #move(index) {
    this.#options[this.#active]?.element.classList.remove("active");
    this.#active = index;
    const option = this.#options[index];
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    option.element.classList.add("active");
    option.element.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.element.id);
  }

  #key(event) {
    const closed = this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (closed) return this.#open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.#move((this.#active + step + this.#options.length) % (this.#options.length || 1));
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (closed) this.#open();
      else if (this.#options[this.#active]) this.#choose(this.#options[this.#active].model);
    } else if (event.key === "Escape" && !closed) {
      event.stopPropagation();
      this.#close();
    }
  }
}
