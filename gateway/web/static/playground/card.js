// One task: made once, then changed in place, so that nothing flickers and players go on.

import { h, icon, setText } from "../shared/dom.js";
import { moment, span } from "../shared/format.js";
import { t } from "../shared/i18n.js";
import { Stage, hasExpired } from "./stage.js";
import { ended } from "./store.js";

const STATES = {
  sending: ["busy", "accent", "state.sending"],
  pending: ["clock", "", "state.pending"],
  processing: ["busy", "accent", "state.processing"],
  completed: ["check", "success", "state.completed"],
  failed: ["alert", "danger", "state.failed"],
  gone: ["alert", "warning", "state.gone"],
  cancelled: ["cancel", "", "state.cancelled"],
  unconfirmed: ["alert", "warning", "state.unconfirmed"],
};
/** Prompts that are too long for two lines unfold. Observed, since asking would lay the page out each time. */
const folding = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (!target.classList.contains("open")) target.more.hidden = target.scrollHeight <= target.clientHeight + 2;
  }
});

const SURE_PERCENT = 15;
/** Most messages of the gateway end with what to do now. */
const SAYS_WHAT_TO_DO = /请|try|check|change|use/i;
const STALE_SECONDS = 5;

/** The state for people: a cancelled task is no failure, and a lost answer is not known to be one. */
export function stateOf(record) {
  if (record.state !== "failed") return record.state;
  if (record.unconfirmed) return "unconfirmed";
  return record.errorCode === "cancelled" ? "cancelled" : "failed";
}

export class Card {
  #actions;
  #parts;
  #signature = "";
  #record = null;

  /** `actions` has a function of the record by name: play, download, … */
  constructor(record, actions) {
    this.#actions = actions;
    this.local = record.local;
    this.stage = new Stage();
    const prompt = h("p.task-prompt", { id: `prompt-${record.local}` });
    const more = h("button.task-more", { type: "button", hidden: true, "aria-expanded": "false" });
    more.addEventListener("click", () => {
      const open = prompt.classList.toggle("open");
      more.setAttribute("aria-expanded", String(open));
      setText(more, t(open ? "task.less" : "task.more"));
    });
    prompt.more = more;
    folding.observe(prompt);
    const bar = h("div.bar", { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, h("div.bar-fill"));
    const percent = h("span.percent", { "aria-hidden": "true" });
    this.#parts = {
      prompt,
      more,
      bar,
      percent,
      progress: h("div.progress", {}, bar, percent),
      chip: h("span.chip"),
      say: h("p.task-say"),
      hint: h("p.meta"),
      meta: h("p.task-meta"),
      buttons: h("div.task-actions"),
    };
    this.element = h(
      "li.card.task",
      { "data-local": record.local },
      this.stage.element,
      h(
        "article.task-body",
        { "aria-labelledby": `prompt-${record.local}` },
        h("div.task-top", {}, prompt, this.#parts.chip),
        more,
        this.#parts.progress,
        this.#parts.say,
        this.#parts.hint,
        this.#parts.meta,
        this.#parts.buttons,
      ),
    );
    this.update(record);
  }

  update(record) {
    this.#record = record;
    const { prompt, more, progress, bar, percent, say, hint } = this.#parts;
    const running = !ended(record);
    const state = stateOf(record);
    this.element.classList.toggle("running", running);
    this.element.dataset.state = state;
    setText(prompt, record.prompt || t("task.found"));
    setText(more, t(prompt.classList.contains("open") ? "task.less" : "task.more"));
    this.stage.update(record);
    progress.hidden = !running;
    const done = record.progress ?? 0;
    bar.setAttribute("aria-label", t("task.progress"));
    bar.setAttribute("aria-valuenow", String(done));
    bar.firstChild.style.setProperty("--done", String(done / 100));
    setText(percent, `${done} %`);
    setText(say, this.#sentence(record, state));
    say.classList.toggle("danger", state === "failed");
    setText(hint, this.#hint(record, state));
    say.hidden = !say.textContent;
    hint.hidden = !hint.textContent;
    this.#showMeta(record);
    this.#showState(record, state);
  }

  /** Once a second, for the times. */
  tick() {
    if (ended(this.#record)) return;
    this.stage.tick();
    setText(this.#parts.say, this.#sentence(this.#record, stateOf(this.#record)));
  }

  #sentence(record, state) {
    if (state === "completed") return "";
    if (state === "unconfirmed") return t("task.unconfirmed");
    if (state === "gone") return t("task.gone");
    if (state === "sending") return record.hasInputs ? t("task.uploading") : t("task.sending");
    if (state === "failed" || state === "cancelled") return record.error || t("state.failed");
    const age = (Date.now() - record.seenAt) / 1000;
    if (record.stale && age > STALE_SECONDS) return t("task.stale", { age: span(age) });
    if (record.late) return t("task.late");
    return [record.message || t("state.pending"), this.#left(record)].filter(Boolean).join(" · ");
  }

  /** What is left, from the progress so far; where the upstream says it, its message has it already. */
  #left(record) {
    const elapsed = Date.now() / 1000 - record.created;
    const { progress = 0 } = record;
    if (record.queue?.eta_seconds || record.state !== "processing" || progress < SURE_PERCENT || elapsed < 3) return "";
    return t("task.left", { time: span((elapsed * (100 - progress)) / progress) });
  }

  #hint(record, state) {
    if (state === "completed" && hasExpired(record)) return t("task.expired_hint");
    if (state === "failed" && !SAYS_WHAT_TO_DO.test(record.error)) return t("task.failed_hint");
    const warnings = record.warnings ?? [];
    const fields = warnings.filter(({ message }) => !message).map(({ field }) => field);
    const sentences = warnings.map(({ message }) => message).filter(Boolean);
    if (fields.length) sentences.push(t("task.warnings", { fields: fields.join(", ") }));
    return sentences.join(" ");
  }

  #showMeta(record) {
    const { result } = record;
    const size =
      result?.width && result?.height
        ? `${result.width} × ${result.height}`
        : [record.resolution, record.ratio].filter(Boolean).join(" · ");
    const seconds = result?.duration || record.duration;
    const facts = [
      record.model,
      seconds > 0 ? `${Number(seconds.toFixed?.(1) ?? seconds)} s` : "",
      size,
      moment(record.created),
    ];
    const took =
      record.endedAt && record.state === "completed"
        ? t("task.took", { time: span(record.endedAt / 1000 - record.created) })
        : "";
    const texts = [...facts, took].filter(Boolean);
    const { meta } = this.#parts;
    if (meta.textContent !== texts.join("")) meta.replaceChildren(...texts.map((text) => h("span", {}, text)));
  }

  #showState(record, state) {
    const signature = [state, record.id, hasExpired(record), record.busy, document.documentElement.lang].join();
    if (signature === this.#signature) return;
    this.#signature = signature;
    const [name, tone, key] = STATES[state];
    const mark = icon(name);
    if (name === "busy") mark.classList.add("spin");
    this.#parts.chip.className = `chip ${tone}`;
    this.#parts.chip.replaceChildren(mark, t(key));
    const focused = this.#parts.buttons.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    this.#parts.buttons.replaceChildren(...this.#buttons(record, state));
    if (focused)
      (
        this.#parts.buttons.querySelector(`[data-action="${focused}"]`) ?? this.#parts.buttons.querySelector("button")
      )?.focus();
  }

  #buttons(record, state) {
    const again = record.draft ? "again" : null;
    const rows = {
      sending: [],
      pending: ["cancel", again, "id"],
      processing: [again, "id"],
      completed: hasExpired(record) && !record.archived ? [again, "id"] : ["play", "download", "link", again, "id"],
      failed: [again, record.id ? "id" : null],
      cancelled: [again, "id"],
      gone: [again, "id"],
      unconfirmed: [again, record.id ? "id" : null],
    };
    const first = { completed: "play", failed: "again", cancelled: "again", gone: "again", unconfirmed: "again" }[
      state
    ];
    const names = rows[state].filter(Boolean);
    if (ended(record)) names.push("remove");
    return names.map((name) => this.#button(name, name === first && state !== "completed"));
  }

  #button(name, primary) {
    const [image, key] = {
      play: ["play", "action.play"],
      download: ["download", "action.download"],
      link: ["link", "action.link"],
      id: ["copy", "action.id"],
      again: ["again", "action.again"],
      cancel: ["cancel", "action.cancel"],
      remove: ["remove", "action.remove"],
    }[name];
    const busy = this.#record.busy === name;
    const mark = icon(busy ? "busy" : image);
    if (busy) mark.classList.add("spin");
    const button = h(
      `button.button.small${primary ? "" : ".quiet"}${name === "remove" ? ".last.only-icon" : ""}`,
      { type: "button", "data-action": name, disabled: busy },
      mark,
      name === "remove" ? null : t(key),
    );
    if (name === "remove") {
      button.setAttribute("aria-label", t(key));
      button.title = t(key);
    }
    button.addEventListener("click", () => this.#actions[name](this.#record, this));
    return button;
  }
}
