// The row of figures, and the plots below the accounts. Both are made once and filled at each reading.

import { find, h, setText } from "../shared/dom.js";
import { languageChanged, t } from "../shared/i18n.js";
import { SPAN } from "./history.js";
import { lines, roundTop } from "./plot.js";

const FIGURES = [
  { name: "submits", text: "figure.submits", read: (point) => point.submits, show: amount },
  { name: "running", text: "figure.running", read: (point) => point.running, show: amount },
  { name: "polls", text: "figure.polls", read: (point) => point.polls, show: amount },
  { name: "calls", text: "figure.calls", read: (point) => point.calls, show: amount },
  { name: "errors", text: "figure.errors", read: (point) => point.errors, show: amount },
  { name: "oldest", text: "figure.oldest", read: (point) => point.oldest, show: duration },
];

const TONES = ["tone-1", "tone-2", "tone-3", "tone-4"];

const PLOTS = [
  { text: "plot.latency", show: duration, least: 0.1, series: latencySeries },
  { text: "plot.answers", show: amount, least: 1, series: answerSeries },
  { text: "plot.ages", show: duration, least: 1, series: ageSeries },
  { text: "plot.credits", show: amount, least: 1, series: creditSeries },
];

function latencySeries(history, providerName) {
  const providers = [...new Set(history.points.flatMap((point) => Object.keys(point.latency)))];
  const used = providers.filter((one) => history.points.some((point) => (point.latency[one] ?? [])[0] != null));
  return used.flatMap((provider, at) =>
    [0, 1].map((which) => ({
      name: `${providerName(provider)} p${which ? 95 : 50}`,
      tone: TONES[at % TONES.length],
      dashed: which === 1,
      read: (point) => (point.latency[provider] ?? [])[which] ?? null,
    })),
  );
}

function answerSeries() {
  const tones = { 2: "tone-good", 4: "tone-warning", 5: "tone-danger" };
  return ["2", "4", "5"].map((group) => ({
    name: `${group}xx`,
    tone: tones[group],
    dashed: group === "4",
    read: (point) => point.answers[group],
  }));
}

function ageSeries() {
  return [0, 1].map((which) => ({
    name: which ? "p95" : "p50",
    tone: TONES[0],
    dashed: which === 1,
    read: (point) => point.ages[which],
  }));
}

function creditSeries(history, providerName) {
  const providers = [...new Set(history.points.flatMap((point) => Object.keys(point.credits)))];
  return providers.map((provider, at) => ({
    name: providerName(provider),
    tone: TONES[at % TONES.length],
    read: (point) => point.credits[provider] ?? 0,
  }));
}

export function amount(value) {
  if (value >= 10_000) return `${Math.round(value / 1000)}k`;
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}

export function duration(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}

const known = (value) => value !== null && value !== undefined;

export class Figures {
  #figures = [];
  #plots = [];
  #history = null;
  #providerName = String;

  constructor() {
    for (const figure of FIGURES) {
      const parts = { label: h("p.figure-label"), value: h("p.figure-value"), line: h("div.spark") };
      find("#figures").append(h("div.card.figure", { "data-figure": figure.name }, ...Object.values(parts)));
      this.#figures.push({ ...figure, ...parts });
    }
    for (const plot of PLOTS) {
      const parts = {
        title: h("h2"),
        top: h("p.meta.plot-top"),
        area: h("div.plot-area"),
        axis: h("div.plot-axis.meta", { "aria-hidden": "true" }, h("span"), h("span", {}, "0")),
        legend: h("ul.legend"),
      };
      find("#plots").append(h("section.card.plot", {}, ...Object.values(parts)));
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

  #render() {
    const history = this.#history;
    const range = { now: history?.points.at(-1)?.at ?? 0, span: spanOf(history) };
    for (const { text, read, show, label, value, line } of this.#figures) {
      setText(label, t(text));
      const latest = history?.last(read) ?? null;
      setText(value, known(latest) ? show(latest) : "–");
      const points = (history?.points ?? []).map((point) => [point.at, read(point)]);
      const top = roundTop(points.map(([, one]) => one), 0.001);
      line.replaceChildren(lines([{ points, tone: "tone-1" }], { ...range, top, height: 28 }));
    }
    for (const plot of this.#plots) this.#renderPlot(plot, history, range);
  }

  #renderPlot({ text, show, least, series, title, top, area, axis, legend }, history, range) {
    setText(title, t(text));
    const drawn = history
      ? series(history, this.#providerName).map((one) => ({
          ...one,
          points: history.points.map((point) => [point.at, one.read(point)]),
        }))
      : [];
    const highest = roundTop(drawn.flatMap(({ points }) => points.map(([, value]) => value)), least);
    setText(top, show(highest));
    area.replaceChildren(lines(drawn, { ...range, top: highest }));
    setText(axis.firstChild, `−${range.span / 60} min`);
    const items = drawn.map(({ name, tone, dashed, read }) => {
      const latest = history.last(read);
      const mark = h(dashed ? `span.mark.${tone}.dashed` : `span.mark.${tone}`, { "aria-hidden": "true" });
      return h("li", {}, mark, `${name} `, h("b", {}, known(latest) ? show(latest) : "–"));
    });
    legend.replaceChildren(...(items.length ? items : [h("li.meta", {}, t("plot.empty"))]));
    legend.setAttribute("aria-label", t(text));
  }
}

/** Seconds that the lines go back: the age of the history in whole minutes, at least 2. */
function spanOf(history) {
  const [first, last] = [history?.points[0], history?.points.at(-1)];
  return first ? Math.min(SPAN, Math.max(120, Math.ceil((last.at - first.at) / 60) * 60)) : SPAN;
}
