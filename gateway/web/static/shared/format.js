// Numbers, times and sizes for people.

import { language, t } from "./i18n.js";

/** `0:07`, `12:30`, `1:02:03`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** `40 s`, `3 min`, `2 h`. */
export function span(seconds) {
  if (seconds >= 5400) return t("unit.hours", { count: Math.round(seconds / 3600) });
  if (seconds >= 90) return t("unit.minutes", { count: Math.round(seconds / 60) });
  return t("unit.seconds", { count: Math.max(1, Math.round(seconds)) });
}

/** The time of day, with the date where it is not today. */
export function moment(unixSeconds) {
  const date = new Date(unixSeconds * 1000);
  const today = date.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", ...(today ? {} : { month: "short", day: "numeric" }) };
  return new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en", options).format(date);
}

/** `4–15` for a run of whole numbers, else `5, 8, 10`. */
export function ranges(numbers) {
  const runs = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs
    .map(([first, last]) => (last - first > 1 ? `${first}–${last}` : first === last ? `${first}` : `${first}, ${last}`))
    .join(", ");
}

export function bytes(size) {
  if (size >= 1024 ** 2) return `${(size / 1024 ** 2).toFixed(1)} MB`;
  return `${Math.max(1, Math.round(size / 1024))} KB`;
}
