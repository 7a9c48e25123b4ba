// Lines over time as SVG. Values are drawn from the oldest on the left to now on the right.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;

function path(name, d) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("class", name);
  element.setAttribute("d", d);
  return element;
}

/** The lines of `[{points: [[at, value]], tone, dash}]`. A value that is not known interrupts a line. Solid lines have
 * their area filled. `grid` draws so many levels above 0, `cursor` a line so many seconds ago. */
export function lines(series, { now, span, top, height, grid = 0, cursor = null }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "lines");
  svg.setAttribute("aria-hidden", "true");
  const x = (at) => WIDTH - ((now - at) / span) * WIDTH;
  const y = (value) => height - (Math.min(value, top) / top) * height;
  for (let level = 1; level <= grid; level += 1) {
    svg.append(path("grid", `M0 ${y((top * level) / grid).toFixed(1)}H${WIDTH}`));
  }
  for (const { points, tone, dash } of series) {
    const drawn = runs(points.map(([at, value]) => [x(at), known(value) ? y(value) : null]));
    if (!dash) svg.append(path(`area ${tone}`, drawn.map((run) => areaOf(run, height)).join("")));
    svg.append(path(`line ${tone}${dash ? ` ${dash}` : ""}`, drawn.map(lineOf).join("")));
  }
  if (cursor !== null) svg.append(path("cursor", `M${x(now - cursor).toFixed(1)} 0V${height}`));
  return svg;
}

export const known = (value) => value !== null && value !== undefined;

/** The unbroken parts of a line. */
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] === null) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length);
}

const coordinates = (run) => run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

/** A single point is a dot, of the line's round end. */
function lineOf(run) {
  return `M${coordinates(run)}${run.length === 1 ? "h0" : ""}`;
}

function areaOf(run, height) {
  return `M${run[0][0].toFixed(1)} ${height}L${coordinates(run)}L${run.at(-1)[0].toFixed(1)} ${height}Z`;
}

/** A round number at or above the highest value: 1, 2, 4 or 6 times a power of ten, so that its half is round too. */
export function roundTop(values, least) {
  const highest = Math.max(least, ...values.filter(known));
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 4, 6, 10].map((factor) => factor * power).find((top) => top >= highest * 0.999);
}
