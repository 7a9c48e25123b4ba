// Lines over time as SVG. Values are drawn from the oldest on the left to now on the right.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 80;
const GAP_SECONDS = 15;

/** The lines of `[{points: [[at, value]], tone, dashed}]`. A value of null, or a gap in time, interrupts a line. */
export function lines(series, { now, span, top, height = HEIGHT }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "lines");
  svg.setAttribute("aria-hidden", "true");
  for (const { points, tone, dashed } of series) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", dashed ? `line ${tone} dashed` : `line ${tone}`);
    path.setAttribute("d", pathOf(points, { now, span, top, height }));
    svg.append(path);
  }
  return svg;
}

export function pathOf(points, { now, span, top, height }) {
  let path = "";
  let before = null;
  for (const [at, value] of points) {
    if (value === null || value === undefined) {
      before = null;
      continue;
    }
    const x = WIDTH - ((now - at) / span) * WIDTH;
    const y = height - 1 - (Math.min(value, top) / top) * (height - 3);
    path += `${before !== null && at - before <= GAP_SECONDS ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = at;
  }
  return path;
}

/** A round number at or above the highest value: 1, 2 or 5 times a power of ten. */
export function roundTop(values, least) {
  const highest = Math.max(least, ...values.filter((value) => value !== null && value !== undefined));
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= highest * 0.999);
}
