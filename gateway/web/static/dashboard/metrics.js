// The text format of Prometheus, and what is computed from two readings of it.

const LINE = /^(([A-Za-z_:][\w:]*)(?:\{(.*)\})?) (\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = { n: "\n" };
const COUNTER = /_(?:total|count|sum|bucket)$/;

/** One reading. `samples` are by the name of the metric: `[{labels, value}]`. `at` is in seconds.
 *
 * Counters continue those of the reading `before`: one that fell, or is gone, began anew at 0 in a restart, and what it
 * had counted before is kept. So a difference of two readings is right whatever happened between them. */
export class Reading {
  #series = new Map();

  constructor(text, at, before = null) {
    this.at = at;
    this.samples = new Map();
    for (const line of text.split("\n")) {
      if (!line || line.startsWith("#")) continue;
      const [, series, name, labels = "", written] = LINE.exec(line) ?? [];
      const value = number(written);
      if (Number.isNaN(value)) continue;
      const earlier = COUNTER.test(name) ? before?.#series.get(series) : undefined;
      const kept = earlier ? earlier.kept + (value < earlier.written ? earlier.written : 0) : 0;
      this.#add(series, { name, labels: labelsOf(labels), written: value, kept });
    }
    for (const [series, sample] of before ? before.#series : []) {
      if (COUNTER.test(sample.name) && !this.#series.has(series)) {
        this.#add(series, { ...sample, written: 0, kept: sample.value });
      }
    }
  }

  #add(series, { name, labels, written, kept }) {
    const sample = { name, labels, written, kept, value: kept + written };
    this.#series.set(series, sample);
    if (!this.samples.has(name)) this.samples.set(name, []);
    this.samples.get(name).push(sample);
  }

  /** The sum of the series of a metric whose labels `accept` takes. */
  sum(name, accept = () => true) {
    let total = 0;
    for (const { labels, value } of this.samples.get(name) ?? []) if (accept(labels)) total += value;
    return total;
  }

  /** The values of a label that a metric has. */
  values(name, label) {
    return [...new Set((this.samples.get(name) ?? []).map(({ labels }) => labels[label]))].sort();
  }
}

function labelsOf(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(LABEL)) labels[name] = value.replace(/\\(.)/g, (_, c) => ESCAPES[c] ?? c);
  return labels;
}

function number(text) {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

/** By how much a counter rose from one reading to the next. */
export function increase(before, now, name, accept) {
  return now.sum(name, accept) - before.sum(name, accept);
}

/** The observations of a histogram between two readings: `[{upTo, count}]`, ascending and not cumulated. */
function buckets(before, now, name, accept = () => true) {
  const bounds = now.values(`${name}_bucket`, "le").map(number).sort((one, other) => one - other);
  let seen = 0;
  return bounds.map((upTo) => {
    const below = increase(before, now, `${name}_bucket`, (labels) => number(labels.le) === upTo && accept(labels));
    const count = Math.max(0, below - seen);
    seen = Math.max(seen, below);
    return { upTo, count };
  });
}

/** A quantile of what a histogram observed between two readings, null where it observed nothing. Linear within a
 * bucket; what lies above all bounds counts as the highest one. */
export function quantile(share, before, now, name, accept) {
  const found = buckets(before, now, name, accept);
  const total = found.reduce((sum, { count }) => sum + count, 0);
  if (!total) return null;
  let below = 0;
  let lower = 0;
  for (const { upTo, count } of found) {
    if (count && below + count >= share * total) {
      return upTo === Infinity ? lower : lower + ((share * total - below) / count) * (upTo - lower);
    }
    below += count;
    if (upTo !== Infinity) lower = upTo;
  }
  return lower;
}
