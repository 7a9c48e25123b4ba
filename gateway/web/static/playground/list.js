// The list of tasks: cards, filter, what stands there without any.

import { find, h, icon, setText } from "../shared/dom.js";
import { languageChanged, t } from "../shared/i18n.js";
import { Card } from "./card.js";
import { segments } from "./choices.js";
import { currentKey, keyForm } from "./key.js";
import { canNotify, notifying, toggleNotifications } from "./notify.js";
import * as store from "./store.js";

const FILTERS = {
  all: () => true,
  running: (record) => !store.ended(record),
  done: (record) => record.state === "completed",
  failed: (record) => store.ended(record) && record.state !== "completed",
};

export class TaskList {
  #site;
  #actions;
  #onExample;
  #cards = new Map();
  #filter = "all";
  #empty = "";
  #list = find("#tasks-list");

  constructor(site, { actions, onExample }) {
    this.#site = site;
    this.#actions = actions;
    this.#onExample = onExample;
    store.changed.on((local) => {
      if (local && this.#cards.has(local)) this.#updateOne(local);
      else this.show({ all: !local });
    });
    languageChanged.on(() => {
      this.#empty = "";
      this.#showTools();
      this.show({ all: true });
    });
    setInterval(() => this.#tick(), 1000);
    this.#showTools();
    this.show();
  }

  #tick() {
    if (document.hidden) return;
    for (const card of this.#cards.values()) card.tick();
  }

  #updateOne(local) {
    const record = store.get(local);
    this.#cards.get(local).update(record);
    if (this.#filter !== "all") this.#showFiltered();
    this.#showCounts();
  }

  /** Cards for all tasks, in their order; those that stay keep their element, and are updated only with `all`. */
  show({ all = false } = {}) {
    const records = store.all();
    const present = new Set(records.map((record) => record.local));
    for (const [local, card] of this.#cards) {
      if (present.has(local)) continue;
      card.element.remove();
      this.#cards.delete(local);
    }
    records.forEach((record, index) => {
      const card = this.#cards.get(record.local) ?? new Card(record, this.#actions);
      if (all && this.#cards.has(record.local)) card.update(record);
      this.#cards.set(record.local, card);
      const there = this.#list.children[index];
      if (there !== card.element) this.#list.insertBefore(card.element, there ?? null);
    });
    this.#showFiltered();
    this.#showCounts();
  }

  #showFiltered() {
    let shown = 0;
    for (const record of store.all()) {
      const visible = FILTERS[this.#filter](record);
      this.#cards.get(record.local).element.hidden = !visible;
      shown += Number(visible);
    }
    this.#showEmpty(shown);
  }

  #showCounts() {
    const running = store.all().filter((record) => !store.ended(record)).length;
    setText(find("#tab-tasks"), running ? t("tasks.title_count", { count: running }) : t("tasks.title"));
    const finished = store.all().some(store.ended);
    find("#clear-finished").hidden = !finished;
    find("#tasks-tools fieldset").hidden = !store.all().length;
  }

  #showTools() {
    const label = (name) =>
      ({ all: t("filter.all"), running: t("filter.running"), done: t("filter.done"), failed: t("filter.failed") })[
        name
      ];
    const filter = segments({
      name: "filter",
      legend: t("filter.title"),
      hiddenLegend: true,
      values: Object.keys(FILTERS),
      chosen: this.#filter,
      label,
      onChoose: (name) => ((this.#filter = name), this.#showFiltered()),
    });
    const clear = h(
      "button.button.small.quiet",
      { type: "button", id: "clear-finished", onclick: () => store.remove(store.ended) },
      icon("remove"),
      h("span", {}, t("tasks.clear")),
    );
    const bell = h(
      "button.button.small.quiet",
      { type: "button", id: "notify", hidden: !canNotify() },
      icon("bell"),
      h("span", {}, t("notify.button")),
    );
    bell.setAttribute("aria-pressed", String(notifying()));
    bell.addEventListener("click", async () => bell.setAttribute("aria-pressed", String(await toggleNotifications())));
    find("#tasks-tools").replaceChildren(filter, clear, bell);
    this.#showCounts();
  }

  #showEmpty(shown) {
    const kind = shown ? "" : store.all().length ? "filtered" : currentKey() ? "none" : "key";
    if (kind === this.#empty) return;
    this.#empty = kind;
    const place = find("#tasks-empty");
    if (!kind) place.replaceChildren();
    else if (kind === "filtered") place.replaceChildren(h("p.card.welcome.meta", {}, t("tasks.none_filtered")));
    else place.replaceChildren(kind === "key" ? this.#welcome() : this.#examples());
  }

  #welcome() {
    return h(
      "div.card.welcome",
      {},
      h("span.welcome-mark", {}, icon("key")),
      h("h2", {}, t("welcome.key")),
      h("p.meta", {}, t("welcome.key_text")),
      keyForm(this.#site, { id: "welcome-key" }),
    );
  }

  #examples() {
    const examples = [t("example.first"), t("example.second"), t("example.third")];
    return h(
      "div.card.welcome",
      {},
      h("span.welcome-mark", {}, icon("film")),
      h("h2", {}, t("welcome.none")),
      h("p.meta", {}, t("welcome.none_text")),
      h(
        "div.examples",
        {},
        examples.map((text) =>
          h("button.button.example", { type: "button", onclick: () => this.#onExample(text) }, icon("spark"), text),
        ),
      ),
    );
  }
}
