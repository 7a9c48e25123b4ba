// The text format of Prometheus, and what is computed from two readings of it.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = { n: "\n" };

/** The samples of one reading, by the name of the metric: `[{labels, value}]`. `at` is in seconds. */
export class Reading {
  constructor(text, at) {
    this.at = at;
    this.samples = new Map();
    for (const line of text.split("\n")) {
      if (!line || line.startsWith("#")) continue;
      const match = LINE.exec(line);
      const value = match ? number(match[3]) : NaN;
      if (Number.isNaN(value)) continue;
      if (!this.samples.has(match[1])) this.samples.set(match[1], []);
      this.samples.get(match[1]).push({ labels: labelsOf(match[2] ?? ""), value });
    }
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

/** By how much a counter rose from one reading to the next. One that fell began anew at 0, in a restart. */
export function increase(before, now, name, accept) {
  const [first, last] = [before.sum(name, accept), now.sum(name, accept)];
  return last >= first ? last - first : last;
}

/** The observations of a histogram between two readings: `[{upTo, count}]`, ascending and not cumulated. */
function buckets(before, now, name, accept) {
  const bounds = now.values(`${name}_bucket`, "le").map(number).sort((one, other) => one - other);
  let seen = 0;
  return bounds.map((upTo) => {
    const below = increase(before, now, `${name}_bucket`, (l) => number(l.le) === upTo && (!accept || accept(l)));
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
