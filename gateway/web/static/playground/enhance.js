// The enhance switch and its preview: a language model rewrites the prompt. What is previewed is what is sent.

import { ApiError, json } from "../shared/api.js";
import { h, icon, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { revisedOf, signatureOf } from "./request.js";

export class Enhancer {
  element;
  #draft;
  #request;
  #onChange;
  #onUse;
  #parts;
  #call = null;
  #problem = null;

  /** `request()` gives body and headers of the present draft, `onUse(text)` takes a preview as the prompt. */
  constructor(draft, { request, onChange, onUse }) {
    this.#draft = draft;
    this.#request = request;
    this.#onChange = onChange;
    this.#onUse = onUse;
    const box = h("input", { type: "checkbox", role: "switch", id: "enhance", checked: Boolean(draft.enhance) });
    box.addEventListener("change", () => this.#switch(box.checked));
    const button = h("button.button.small", { type: "button", id: "enhance-preview", onclick: () => this.#preview() });
    const use = h(
      "button.button.small",
      { type: "button", id: "enhance-use", onclick: () => this.#onUse(revisedOf(this.#draft)) },
      t("enhance.use"),
    );
    const text = h("p.preview", { id: "enhance-text" });
    const result = h(
      "div.field",
      {},
      h("div.field-head", {}, h("p.label", {}, t("enhance.result")), use),
      text,
    );
    const said = h("span", {});
    const problem = h("p.field-error", { id: "enhance-problem" }, icon("alert"), said);
    this.#parts = { button, text, result, said, problem };
    this.element = h(
      "div.enhance",
      {},
      h("div.enhance-head", {}, h("label.switch", { title: t("enhance.hint") }, box, t("enhance.switch")), button),
      h("div", { "aria-live": "polite" }, result, problem),
    );
    this.show();
  }

  /** Show what belongs to the present draft: a preview of an earlier one goes, and so does its call. */
  show() {
    const { button, text, result, said, problem } = this.#parts;
    if (this.#call && this.#call.of !== signatureOf(this.#draft)) this.#stop();
    const revised = revisedOf(this.#draft);
    const writing = this.#call !== null;
    button.hidden = !this.#draft.enhance;
    button.disabled = writing;
    button.setAttribute("aria-busy", String(writing));
    const image = icon(writing ? "busy" : "spark");
    image.classList.toggle("spin", writing);
    button.replaceChildren(image, t(writing ? "enhance.writing" : revised ? "enhance.again" : "enhance.preview"));
    result.hidden = !revised;
    setText(text, revised ?? "");
    if (this.#problem?.of !== signatureOf(this.#draft)) this.#problem = null;
    problem.hidden = !this.#problem;
    setText(said, this.#problem?.message ?? "");
  }

  #switch(on) {
    this.#draft.enhance = on;
    this.#problem = null;
    this.#stop();
    this.#onChange();
  }

  #stop() {
    this.#call?.abort.abort();
    this.#call = null;
  }

  async #preview() {
    const call = { of: signatureOf(this.#draft), abort: new AbortController() };
    this.#call = call;
    this.#problem = null;
    this.show();
    try {
      const given = { method: "POST", signal: call.abort.signal, ...this.#request() };
      const { data } = await json("v1/videos/prompts", given);
      if (this.#call === call) this.#draft.revised = { of: call.of, prompt: data.revised_prompt };
    } catch (error) {
      if (!(error instanceof ApiError)) {
        if (call.abort.signal.aborted) return;
        throw error;
      }
      if (this.#call === call) this.#problem = { of: call.of, message: error.message };
    }
    if (this.#call !== call) return;
    this.#call = null;
    this.#onChange();
  }
}
