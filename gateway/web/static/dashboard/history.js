// What the page shows over the last 15 minutes, computed from readings of the metrics and of the accounts.

import { Reading, increase, quantile } from "./metrics.js";

export const SPAN = 15 * 60;
const WINDOW = 30;
const POLL_ROUTE = /\{(?:id|task_id)\}$/;
/** Pages, their files, what monitors ask for and what this page itself does. */
const NO_API_ROUTE = /^\/(?:$|(?:assets|dashboard|docs|healthz|metrics|openapi\.json|ping|playground|readyz)\b|v1\/accounts$)/;
const NOTHING = { latency: {}, answers: {}, ages: [], credits: {} };

const isPoll = ({ route, method }) => method === "GET" && POLL_ROUTE.test(route);

/** Points `{at, submits, running, polls, calls, errors, oldest, latency, answers, ages, credits}`: rates per second, or
 * per minute for submits, errors and credits; seconds; null or absent where nothing is known. */
export class History {
  points = [];
  #readings = [];
  #interrupted = false;

  /** Add what was read at a time in seconds: the text of the metrics, and the accounts. */
  add(text, at, accounts) {
    const reading = new Reading(text, at, this.#readings.at(-1));
    this.#readings.push(reading);
    while (this.#readings.length > 2 && this.#readings[1].at <= at - WINDOW) this.#readings.shift();
    const before = this.#readings[0];
    if (before === reading) return;
    if (this.#interrupted && this.points.length) this.points.push({ ...NOTHING, at: this.points.at(-1).at });
    this.#interrupted = false;
    this.points.push(point(before, reading, accounts));
    while (this.points[0].at < at - SPAN) this.points.shift();
  }

  /** A reading failed: the lines have a gap until the next one. */
  interrupt() {
    this.#interrupted = true;
  }

  /** The point nearest to so many seconds before the latest one, null without any. */
  pointAt(secondsAgo) {
    const latest = this.points.at(-1);
    if (!latest) return null;
    const distance = (one) => Math.abs(latest.at - secondsAgo - one.at);
    return this.points.reduce((best, one) => (distance(one) <= distance(best) ? one : best));
  }

  /** Seconds that the lines go back: their age in whole minutes, at least 1. */
  get span() {
    const [first, latest] = [this.points[0], this.points.at(-1)];
    return first ? Math.min(SPAN, Math.max(60, Math.ceil((latest.at - first.at) / 60) * 60)) : SPAN;
  }
}

function point(before, now, accounts) {
  const seconds = Math.max(now.at - before.at, 0.001);
  const rate = (name, accept) => increase(before, now, name, accept) / seconds;
  const answers = {};
  for (const group of ["2", "4", "5"]) {
    const accept = ({ status, route }) => status.startsWith(group) && !NO_API_ROUTE.test(route);
    answers[group] = rate("gateway_request_duration_seconds_count", accept);
  }
  const latency = {};
  for (const provider of now.values("gateway_upstream_duration_seconds_bucket", "provider")) {
    const accept = (labels) => labels.provider === provider;
    latency[provider] = [0.5, 0.95].map((q) => quantile(q, before, now, "gateway_upstream_duration_seconds", accept));
  }
  const credits = {};
  // Known once the balance of an account has been read.
  for (const provider of now.values("gateway_account_credits", "provider")) {
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
