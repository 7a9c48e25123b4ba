// The accounts as a table, which becomes a list of cards on a narrow screen, and what can be done with each.

import { find, h, icon, setText } from "../shared/dom.js";
import { moment } from "../shared/format.js";
import { languageChanged, maybe, t } from "../shared/i18n.js";

const TONES = {
  ready: ["success", "check"],
  full: ["accent", "busy"],
  paused: ["accent", "clock"],
  rate_limited: ["warning", "clock"],
  low_credits: ["warning", "alert"],
  daily_limit: ["warning", "clock"],
  not_entitled: ["warning", "alert"],
};
const OTHER = ["danger", "alert"];

const COLUMNS = ["name", "state", "until", "running", "submitted", "failed", "credits", "error"];
const ACTIONS = ["check", "points", "receive", "pause", "resume"];

export class Accounts {
  #rows = new Map();
  #accounts = [];
  #body;
  #heads = [];
  #empty;
  #act;
  #providerName = String;

  /** `act(name, action)` runs an action on an account; its outcome is shown by the next `show`. */
  constructor(act) {
    this.#act = act;
    this.#body = h("tbody");
    this.#heads = COLUMNS.map((name) => ({ name, cell: h("th", { scope: "col" }) }));
    const actions = h("th", { scope: "col" });
    this.#heads.push({ name: "actions", cell: actions });
    this.#empty = h("p.meta", { hidden: true });
    const head = h("thead", {}, h("tr", {}, ...this.#heads.map(({ cell }) => cell)));
    find("#accounts").append(h("table.accounts", {}, head, this.#body), this.#empty);
    languageChanged.on(() => this.#render());
    this.#render();
  }

  show(accounts, providerName) {
    this.#accounts = accounts;
    this.#providerName = providerName;
    this.#render();
  }

  #render() {
    for (const { name, cell } of this.#heads) setText(cell, t(`accounts.${name}`));
    setText(this.#empty, t("accounts.none"));
    this.#empty.hidden = this.#accounts.length > 0;
    find("table", find("#accounts")).hidden = !this.#accounts.length;
    for (const [name, row] of this.#rows) {
      if (!this.#accounts.some((account) => account.name === name)) {
        row.element.remove();
        this.#rows.delete(name);
      }
    }
    this.#accounts.forEach((account, at) => {
      const row = this.#rows.get(account.name) ?? this.#newRow(account.name);
      if (this.#body.children[at] !== row.element) this.#body.insertBefore(row.element, this.#body.children[at] ?? null);
      this.#fill(row, account);
    });
  }

  #newRow(name) {
    const cells = Object.fromEntries(COLUMNS.map((column) => [column, h(column === "name" ? "th" : "td")]));
    cells.name.setAttribute("scope", "row");
    const buttons = ACTIONS.map((action) => {
      const button = h("button.button.small.quiet", { type: "button", onclick: () => this.#run(name, action, button) });
      return { action, button };
    });
    const element = h("tr", { "data-account": name }, ...Object.values(cells), h("td.row-actions", {}, buttons.map(({ button }) => button)));
    const row = { element, cells, buttons };
    this.#rows.set(name, row);
    return row;
  }

  async #run(name, action, button) {
    button.disabled = true;
    try {
      await this.#act(name, action);
    } finally {
      button.disabled = false;
    }
  }

  #fill({ element, cells, buttons }, account) {
    const { state, last_error: error, credits } = account;
    for (const { name, cell } of this.#heads) cells[name]?.setAttribute("data-label", cell.textContent);
    const site = [this.#providerName(account.provider), account.region].filter(Boolean).join(" · ");
    if (!cells.name.firstChild) cells.name.append(h("b"), h("span.meta"));
    setText(cells.name.firstChild, account.name);
    setText(cells.name.lastChild, site);
    const word = maybe(`state.${state}`) ?? state;
    if (cells.state.textContent !== word || element.dataset.state !== state) {
      const [tone, image] = TONES[state] ?? OTHER;
      cells.state.replaceChildren(h(`span.chip.${tone}`, {}, icon(image), word));
    }
    element.dataset.state = state;
    cells.state.title = account.reason ?? "";
    const resting = account.rests_until !== null && account.rests_until * 1000 > Date.now();
    setText(cells.until, resting ? moment(account.rests_until) : "–");
    setText(cells.running, account.max_running === null ? `${account.running}` : `${account.running} / ${account.max_running}`);
    setText(cells.submitted, String(account.submitted));
    setText(cells.failed, String(account.failed));
    setText(cells.credits, credits ? String(credits.total) : "–");
    const shown = error ? `${moment(error.at)} ${error.message}` : "–";
    setText(cells.error, shown);
    for (const cell of Object.values(cells)) cell.toggleAttribute("data-empty", cell.textContent === "–");
    for (const { action, button } of buttons) {
      setText(button, t(`action.${action}`));
      button.setAttribute("aria-label", `${t(`action.${action}`)}: ${account.name}`);
      button.hidden = action === (state === "paused" ? "pause" : "resume") && (action === "pause" || state === "ready");
    }
  }
}
