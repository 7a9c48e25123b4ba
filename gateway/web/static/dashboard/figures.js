// The row of figures, each with a line of the last minutes.

import { find, h, setText } from "../shared/dom.js";
import { languageChanged, t } from "../shared/i18n.js";
import { known, lines, roundTop } from "./drawing.js";
import { amount, duration } from "./numbers.js";

const FIGURES = [
  { name: "submits", text: "figure.submits", unit: "unit.per_minute", show: amount },
  { name: "running", text: "figure.running", unit: null, show: amount },
  { name: "polls", text: "figure.polls", unit: "unit.per_second", show: amount },
  { name: "calls", text: "figure.calls", unit: "unit.per_second", show: amount },
  { name: "errors", text: "figure.errors", unit: "unit.per_minute", show: amount, bad: true },
  { name: "oldest", text: "figure.oldest", unit: null, show: duration },
];
const HEIGHT = 36;

export class Figures {
  #figures = [];
  #history = null;

  constructor() {
    for (const figure of FIGURES) {
      const parts = { label: h("p.figure-label"), number: h("b"), unit: h("span.meta"), line: h("div.spark") };
      const value = h("p.figure-value", {}, parts.number, parts.unit);
      const card = h("div.card.figure", { "data-figure": figure.name }, parts.label, value, parts.line);
      find("#figures").append(card);
      this.#figures.push({ ...figure, parts, card });
    }
    languageChanged.on(() => this.#render());
    this.#render();
  }

  show(history) {
    this.#history = history;
    this.#render();
  }

  #render() {
    const points = this.#history?.points ?? [];
    const latest = points.at(-1);
    for (const { name, text, unit, show, bad, parts, card } of this.#figures) {
      const value = latest?.[name] ?? null;
      setText(parts.label, t(text));
      setText(parts.number, known(value) ? show(value) : "–");
      setText(parts.unit, unit ? t(unit) : "");
      const alarming = Boolean(bad && value > 0);
      card.classList.toggle("alarming", alarming);
      const drawn = points.map((point) => [point.at, point[name]]);
      const range = { now: latest?.at ?? 0, span: this.#history?.span ?? 1, height: HEIGHT };
      const top = roundTop(drawn.map(([, one]) => one), 0.001);
      parts.line.replaceChildren(lines([{ points: drawn, tone: alarming ? "tone-danger" : "tone-1" }], { ...range, top }));
    }
  }
}
