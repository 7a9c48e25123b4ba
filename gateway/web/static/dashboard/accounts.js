// The accounts as a table, which becomes a list of cards on a narrow screen, and what can be done with each.

import { find, h, icon, setText } from "../shared/dom.js";
import { moment, span } from "../shared/format.js";
import { languageChanged, maybe, t } from "../shared/i18n.js";

const TONES = {
  ready: ["success", "check"],
  full: ["accent", "busy"],
  paused: ["accent", "pause"],
  rate_limited: ["warning", "clock"],
  low_credits: ["warning", "alert"],
  daily_limit: ["warning", "clock"],
  not_entitled: ["warning", "alert"],
};
const OTHER = ["danger", "alert"];

const COLUMNS = ["name", "state", "running", "submitted", "failed", "credits", "error"];
const ACTIONS = ["check", "points", "receive", "resume", "pause"];

export class Accounts {
  #rows = new Map();
  #accounts = [];
  #parts;
  #heads;
  #act;
  #providerName = String;

  /** `act(name, action)` runs an action on an account; its outcome is shown by the next `show`. */
  constructor(act) {
    this.#act = act;
    const columns = [...COLUMNS, "actions"];
    this.#heads = columns.map((name) => ({ name, cell: h("th", { scope: "col", "data-column": name }) }));
    const parts = { body: h("tbody"), empty: h("p.meta"), ready: find("#accounts-ready") };
    const head = h("thead", {}, h("tr", {}, ...this.#heads.map(({ cell }) => cell)));
    this.#parts = { ...parts, table: h("table.accounts", {}, head, parts.body) };
    find("#accounts").append(this.#parts.table, parts.empty);
    languageChanged.on(() => this.#render());
    this.#render();
  }

  show(accounts, providerName) {
    this.#accounts = accounts;
    this.#providerName = providerName;
    this.#render();
  }

  #render() {
    const { body, empty, ready, table } = this.#parts;
    const accounts = this.#accounts;
    for (const { name, cell } of this.#heads) setText(cell, t(`accounts.${name}`));
    setText(empty, t("accounts.none"));
    empty.hidden = accounts.length > 0;
    table.hidden = !accounts.length;
    const count = accounts.filter(({ state }) => state === "ready").length;
    setText(ready, accounts.length ? t("accounts.ready", { count, all: accounts.length }) : "");
    for (const [name, row] of this.#rows) {
      if (!accounts.some((account) => account.name === name)) {
        row.element.remove();
        this.#rows.delete(name);
      }
    }
    accounts.forEach((account, at) => {
      const row = this.#rows.get(account.name) ?? this.#newRow(account.name);
      if (body.children[at] !== row.element) body.insertBefore(row.element, body.children[at] ?? null);
      this.#fill(row, account);
    });
  }

  #newRow(name) {
    const cell = (column) => h(column === "name" ? "th" : "td", { "data-column": column });
    const cells = Object.fromEntries(COLUMNS.map((column) => [column, cell(column)]));
    cells.name.setAttribute("scope", "row");
    cells.name.append(h("b"), h("span.meta"));
    cells.state.append(h("span.chip"), h("span.meta"));
    const share = h("span.meter", { "aria-hidden": "true" }, h("span"));
    cells.running.append(h("span"), share);
    const buttons = Object.fromEntries(
      ACTIONS.map((action) => {
        const run = () => this.#run(name, action, buttons[action]);
        return [action, h("button.button.small.quiet", { type: "button", "data-action": action, onclick: run })];
      }),
    );
    const group = h("div.button-group", {}, Object.values(buttons));
    const element = h("tr", { "data-account": name }, ...Object.values(cells), h("td", { "data-column": "actions" }, group));
    const row = { element, cells, buttons };
    this.#rows.set(name, row);
    return row;
  }

  async #run(name, action, button) {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      await this.#act(name, action);
    } finally {
      button.ariaBusy = "false";
    }
  }

  #fill({ element, cells, buttons }, account) {
    const { name, state, running, max_running: limit } = account;
    for (const head of this.#heads) cells[head.name]?.setAttribute("data-label", head.cell.textContent);
    element.dataset.state = state;
    setText(cells.name.children[0], name);
    setText(cells.name.children[1], [this.#providerName(account.provider), account.region].filter(Boolean).join(" · "));
    fillState(cells.state, account);
    setText(cells.running.children[0], limit === null ? `${running}` : `${running} / ${limit}`);
    cells.running.children[1].hidden = !limit;
    cells.running.children[1].style.setProperty("--share", limit ? String(Math.min(1, running / limit)) : "0");
    setText(cells.submitted, String(account.submitted));
    setText(cells.failed, String(account.failed));
    setText(cells.credits, account.credits ? new Intl.NumberFormat("en").format(account.credits.total) : "–");
    fillError(cells.error, account);
    cells.credits.toggleAttribute("data-empty", !account.credits);
    cells.error.toggleAttribute("data-empty", cells.error.textContent === "–");
    fillActions(buttons, account);
  }
}

function fillState(cell, { state, rests_until: until }) {
  const [chip, rest] = cell.children;
  const word = maybe(`state.${state}`) ?? state;
  if (chip.textContent !== word || chip.dataset.state !== state) {
    const [tone, image] = TONES[state] ?? OTHER;
    chip.className = `chip ${tone}`;
    chip.dataset.state = state;
    chip.replaceChildren(icon(image), word);
  }
  const seconds = until === null ? 0 : until - Date.now() / 1000;
  setText(rest, seconds > 0 ? t("accounts.until", { time: moment(until), span: span(seconds) }) : "");
}

/** The reason of the state, the last error unless it is that reason, and the models that are closed. */
function fillError(cell, { state, reason, last_error: error, closed_models: closed }) {
  const told = [];
  if (reason && state !== "paused" && reason !== error?.message) told.push(reason);
  if (error) told.push(`${moment(error.at)} · ${error.message}`);
  for (const [model, until] of Object.entries(closed)) told.push(t("accounts.closed", { model, time: moment(until) }));
  const lines = told.length ? told : ["–"];
  while (cell.children.length > lines.length) cell.lastChild.remove();
  lines.forEach((line, at) => setText(cell.children[at] ?? cell.appendChild(h("p")), line));
}

function fillActions(buttons, { name, state }) {
  for (const [action, button] of Object.entries(buttons)) {
    setText(button, t(`action.${action}`));
    button.setAttribute("aria-label", `${t(`action.${action}`)}: ${name}`);
  }
  const focused = document.activeElement;
  buttons.pause.hidden = state === "paused";
  buttons.resume.hidden = state === "ready" || state === "full";
  // The focus goes on where the button with it went.
  if (focused === buttons.pause && buttons.pause.hidden) buttons.resume.focus();
  if (focused === buttons.resume && buttons.resume.hidden) buttons.pause.focus();
}
