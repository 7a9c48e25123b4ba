// What the page shows over the last 15 minutes, computed from readings of the metrics and of the accounts.

import { increase, quantile } from "./metrics.js";

export const SPAN = 15 * 60;
const WINDOW = 30;
const POLL_ROUTE = /\{(?:id|task_id)\}$/;

const isPoll = ({ route, method }) => method === "GET" && POLL_ROUTE.test(route);

/** Points `{at, submits, running, polls, calls, errors, oldest, latency, answers, ages, credits}`: rates per second, or
 * per minute for submits, errors and credits; seconds; null where nothing is known. */
export class History {
  points = [];
  #readings = [];

  add(reading, accounts) {
    this.#readings.push(reading);
    while (this.#readings.length > 2 && this.#readings[1].at <= reading.at - WINDOW) this.#readings.shift();
    const before = this.#readings[0];
    if (before === reading) return;
    this.points.push(point(before, reading, accounts));
    while (this.points[0].at < reading.at - SPAN) this.points.shift();
  }

  /** The latest value of a field, null without one. */
  last(read) {
    const latest = this.points.at(-1);
    return latest ? read(latest) : null;
  }
}

function point(before, now, accounts) {
  const seconds = Math.max(now.at - before.at, 0.001);
  const rate = (name, accept) => increase(before, now, name, accept) / seconds;
  const answers = {};
  for (const group of ["2", "4", "5"]) {
    answers[group] = rate("gateway_request_duration_seconds_count", ({ status }) => status.startsWith(group));
  }
  const latency = {};
  for (const provider of now.values("gateway_upstream_duration_seconds_bucket", "provider")) {
    const accept = (labels) => labels.provider === provider;
    latency[provider] = [0.5, 0.95].map((q) => quantile(q, before, now, "gateway_upstream_duration_seconds", accept));
  }
  const credits = {};
  for (const provider of now.values("gateway_account_credits_spent_total", "provider")) {
    credits[provider] = rate("gateway_account_credits_spent_total", (labels) => labels.provider === provider) * 60;
  }
  const age = (share) => quantile(share, before, now, "gateway_answer_age_seconds");
  return {
    at: now.at,
    submits: rate("gateway_submits_total", ({ outcome }) => outcome === "accepted") * 60,
    running: accounts.reduce((sum, account) => sum + account.running, 0),
    polls: rate("gateway_request_duration_seconds_count", isPoll),
    calls: rate("gateway_upstream_duration_seconds_count"),
    errors: rate("gateway_upstream_errors_total") * 60,
    oldest: age(1),
    latency,
    answers,
    ages: [age(0.5), age(0.95)],
    credits,
  };
}
