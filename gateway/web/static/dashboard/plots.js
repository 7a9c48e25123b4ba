// The plots below the accounts. Pointing at one, or its arrow keys, shows the values of that time in all of them.

import { find, h, setText } from "../shared/dom.js";
import { clock } from "../shared/format.js";
import { languageChanged, t } from "../shared/i18n.js";
import { known, lines, roundTop } from "./drawing.js";
import { amount, duration } from "./numbers.js";

const TONES = ["tone-1", "tone-2", "tone-3", "tone-4"];
const DASHES = ["", "dashed", "dotted"];
const HEIGHT = 120;
const STEPS = 30;

const PLOTS = [
  { name: "latency", text: "plot.latency", empty: "plot.empty", show: duration, least: 0.01, series: latencySeries },
  { name: "answers", text: "plot.answers", empty: "plot.empty", show: amount, least: 0.1, series: answerSeries },
  { name: "ages", text: "plot.ages", empty: "plot.empty", show: duration, least: 0.1, series: ageSeries },
  { name: "credits", text: "plot.credits", empty: "plot.no_credits", show: amount, least: 1, series: creditSeries },
];

function latencySeries(points, providerName) {
  return providersOf(points, "latency")
    .filter((provider) => points.some(({ latency }) => known(latency[provider]?.[0])))
    .flatMap((provider, at) =>
      [0, 1].map((which) => ({
        name: `${providerName(provider)} p${which ? 95 : 50}`,
        tone: TONES[at % TONES.length],
        dash: DASHES[which],
        read: (point) => point.latency[provider]?.[which],
      })),
    );
}

function answerSeries() {
  const tones = { 2: "tone-good", 4: "tone-warning", 5: "tone-danger" };
  return ["2", "4", "5"].map((group, at) => ({
    name: `${group}xx`,
    tone: tones[group],
    dash: DASHES[at],
    read: (point) => point.answers[group],
  }));
}

function ageSeries() {
  return [0, 1].map((which) => ({
    name: which ? "p95" : "p50",
    tone: TONES[0],
    dash: DASHES[which],
    read: (point) => point.ages[which],
  }));
}

function creditSeries(points, providerName) {
  return providersOf(points, "credits").map((provider, at) => ({
    name: providerName(provider),
    tone: TONES[at % TONES.length],
    dash: DASHES[at % DASHES.length],
    read: (point) => point.credits[provider],
  }));
}

function providersOf(points, field) {
  return [...new Set(points.flatMap((point) => Object.keys(point[field])))].sort();
}

export class Plots {
  #plots = [];
  #history = null;
  #providerName = String;
  /** Seconds before now that are pointed at, null for now. */
  #cursor = null;

  constructor() {
    for (const plot of PLOTS) {
      const parts = {
        title: h("h2"),
        scale: h("div.plot-scale.meta", { "aria-hidden": "true" }, h("span"), h("span"), h("span", {}, "0")),
        area: h("div.plot-area", { role: "slider", tabindex: "0", "aria-valuemax": "0" }),
        axis: h("div.plot-axis.meta", { "aria-hidden": "true" }, h("span"), h("span"), h("span")),
        legend: h("ul.legend"),
      };
      this.#listen(parts.area);
      find("#plots").append(h("section.card.plot", { "data-plot": plot.name }, ...Object.values(parts)));
      this.#plots.push({ ...plot, ...parts });
    }
    languageChanged.on(() => this.#render());
    this.#render();
  }

  show(history, providerName) {
    this.#history = history;
    this.#providerName = providerName;
    this.#render();
  }

  #listen(area) {
    area.addEventListener("pointermove", (event) => {
      const { left, width } = area.getBoundingClientRect();
      this.#point((1 - (event.clientX - left) / width) * this.#span);
    });
    area.addEventListener("pointerleave", () => this.#point(null));
    area.addEventListener("blur", () => this.#point(null));
    area.addEventListener("keydown", (event) => {
      const now = this.#cursor ?? 0;
      const step = this.#span / STEPS;
      const moves = { ArrowLeft: now + step, ArrowRight: now - step, Home: this.#span, End: 0 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      this.#point(moves[event.key]);
    });
  }

  get #span() {
    return this.#history?.span ?? 1;
  }

  #point(secondsAgo) {
    this.#cursor = secondsAgo === null ? null : Math.min(this.#span, Math.max(0, secondsAgo));
    this.#render();
  }

  #render() {
    for (const plot of this.#plots) this.#renderPlot(plot);
  }

  #renderPlot({ text, empty, show, least, series, title, legend, scale, area, axis }) {
    const points = this.#history?.points ?? [];
    const shown = this.#cursor === null ? points.at(-1) : this.#history?.pointAt(this.#cursor);
    const drawn = series(points, this.#providerName).map((one) => ({
      ...one,
      points: points.map((point) => [point.at, one.read(point)]),
      value: shown ? one.read(shown) : null,
    }));
    const top = roundTop(drawn.flatMap((one) => one.points.map(([, value]) => value)), least);
    const range = { now: points.at(-1)?.at ?? 0, span: this.#span, height: HEIGHT };
    const ago = this.#cursor === null ? 0 : Math.round(this.#cursor);
    const when = ago ? `−${clock(ago)}` : t("plot.now");
    const values = drawn.map(({ name, value }) => `${name} ${known(value) ? show(value) : "–"}`);

    setText(title, t(text));
    area.replaceChildren(lines(drawn, { ...range, top, grid: 2, cursor: this.#cursor }));
    setText(scale.children[0], show(top));
    setText(scale.children[1], show(top / 2));
    setText(axis.children[0], points.length ? `−${clock(this.#span)}` : "");
    setText(axis.children[1], this.#cursor === null ? "" : when);
    setText(axis.children[2], t("plot.now"));
    const items = drawn.map((one) => legendItem(one, show));
    legend.replaceChildren(...(items.length ? items : [h("li.meta", {}, t(empty))]));
    area.setAttribute("aria-label", t(text));
    area.setAttribute("aria-valuemin", String(-this.#span));
    area.setAttribute("aria-valuenow", String(-ago));
    area.setAttribute("aria-valuetext", `${when}: ${values.join(", ") || t(empty)}`);
  }
}

function legendItem({ name, tone, dash, value }, show) {
  const mark = h(`span.mark.${tone}${dash ? `.${dash}` : ""}`, { "aria-hidden": "true" });
  return h("li", {}, mark, `${name} `, h("b", {}, known(value) ? show(value) : "–"));
}
