// The form: what to make, the same request as code, and the submit.

import { ApiError, BASE } from "../shared/api.js";
import { debounced, find, h, icon, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { load, save } from "../shared/storage.js";
import { durations, nearest, promptLength, ratios, takesInputs } from "./capabilities.js";
import { advanced, segments, fold, shotDescription, videoChoices } from "./choices.js";
import { Enhancer } from "./enhance.js";
import { clearProblems, problemsOf, showProblems } from "./errors.js";
import { MediaPicker, thumbnailOf } from "./media.js";
import { ModelPicker } from "./picker.js";
import { emptyDraft, encode, fieldsOf, inputsOf, rolesOf } from "./request.js";
import { SNIPPETS } from "./snippets.js";
import { submit } from "./submit.js";

const SNIPPET_NAMES = { curl: "curl", python: "Python", javascript: "JavaScript" };

export class Form {
  #site;
  #models = [];
  #model = null;
  #draft;
  #folds = new Set();
  #snippet = "curl";
  #parts = {};
  #element = find("#form");
  #sending = false;
  #canEnhance = false;
  #onSubmitted;
  #copy;
  #keepDraft = debounced(() => save("draft", this.#stored()), 400);

  constructor(site, { onSubmitted, copy }) {
    this.#site = site;
    this.#onSubmitted = onSubmitted;
    this.#copy = copy;
    this.#draft = { ...emptyDraft(), ...load("draft", {}), inputs: [] };
    this.#element.addEventListener("submit", (event) => (event.preventDefault(), this.#submit()));
    this.#element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#element.requestSubmit();
    });
    this.render();
  }

  get hasModels() {
    return this.#models.length > 0;
  }

  /** The models of the key; the form keeps its own where the key still has it. `canEnhance` is true where the key has
   * language models. */
  setModels(models, { canEnhance = this.#canEnhance } = {}) {
    this.#models = models;
    this.#canEnhance = canEnhance;
    // Before the first list of models it is not known.
    if (models.length && !canEnhance) this.#draft.enhance = false;
    const usable = models.filter((model) => model.status === "available");
    const preferred = [this.#draft.model, ...this.#site.default_models];
    const found = preferred.map((id) => usable.find((model) => model.id === id)).find(Boolean);
    this.#choose(found ?? usable[0] ?? models[0] ?? null);
  }

  /** Fill the form with an earlier request. */
  restore(draft, inputs) {
    this.#draft = { ...emptyDraft(), ...structuredClone({ ...draft, inputs: [] }), inputs };
    for (const name of ["shot", "options"]) {
      if (Object.values(this.#draft[name]).some((value) => value !== "" && value !== null && value !== undefined)) {
        this.#folds.add(name === "shot" ? "shot" : "advanced");
      }
    }
    this.setModels(this.#models);
    this.render();
    this.focusPrompt();
  }

  setPrompt(text) {
    this.#draft.prompt = text;
    this.render();
    this.focusPrompt();
  }

  focusPrompt() {
    const prompt = find("#prompt");
    prompt.focus();
    prompt.setSelectionRange(prompt.value.length, prompt.value.length);
  }

  addFiles(files) {
    if (this.#model && takesInputs(this.#model) && this.#model.takes_files) this.#parts.media.add(files);
  }

  clear() {
    this.#draft = emptyDraft();
    this.setModels(this.#models);
    this.render();
  }

  #stored() {
    return { ...this.#draft, inputs: [] };
  }

  #choose(model) {
    this.#model = model;
    if (model) this.#draft.model = model.id;
    this.#changed();
  }

  /** Make every element anew: at the start, and in another language. */
  render() {
    const picker = new ModelPicker(this.#site, (model) => this.#choose(model));
    const media = new MediaPicker(this.#draft.inputs, () => this.#changed());
    const prompt = h("textarea.input", {
      id: "prompt",
      rows: "4",
      placeholder: t("form.prompt_example"),
      "aria-describedby": "prompt-count",
      oninput: () => this.#typed(),
    });
    prompt.value = this.#draft.prompt;
    const count = h("span.meta", { id: "prompt-count" });
    const enhancer = new Enhancer(this.#draft, {
      request: () => {
        const plain = { ...this.#draft, enhance: false };
        return encode(fieldsOf(plain, this.#model, this.#site.shot), inputsOf(plain));
      },
      onChange: () => this.#changed({ quiet: true }),
      onUse: (text) => this.#use(text),
    });
    const problem = h("div", { id: "form-problem", role: "alert" });
    const button = h("button.button.primary.submit", { type: "submit", id: "submit" });
    this.#parts = {
      picker,
      media,
      prompt,
      enhancer,
      count,
      problem,
      button,
      choices: h("div.choices", {}),
      folds: h("div.choices", {}),
    };
    this.#element.replaceChildren(
      h(
        "div.form-body",
        {},
        picker.element,
        h(
          "div.field",
          { "data-field": "prompt" },
          h("div.field-head", {}, h("label.label", { for: "prompt" }, t("form.prompt")), count),
          prompt,
          enhancer.element,
        ),
        media.element,
        this.#parts.choices,
        this.#parts.folds,
      ),
      h("div.form-foot", {}, problem, button),
    );
    this.#changed();
  }

  /** The draft or the model changed: fit one to the other and show what follows. */
  #changed({ quiet = false } = {}) {
    const { picker, media, choices, folds } = this.#parts;
    if (!picker) return;
    const [draft, model] = [this.#draft, this.#model];
    if (!quiet) {
      picker.show(this.#models, model);
      media.element.hidden = !model;
      if (!model) for (const part of [choices, folds]) part.replaceChildren();
      if (model) {
        media.show(model);
        this.#fit();
        this.#keepFocus(() => {
          choices.replaceChildren(...videoChoices(draft, model, () => this.#changed()));
          this.#parts.shot = shotDescription(draft, this.#site.shot, this.#folds, (how) => this.#changed(how));
          const options = advanced(draft, model, this.#folds, (how) => this.#changed(how));
          folds.replaceChildren(this.#parts.shot.element, options, this.#codeFold());
        });
      }
    }
    this.#parts.enhancer.element.hidden = !model || !this.#canEnhance;
    this.#parts.enhancer.show();
    if (model) this.#parts.showCode();
    this.#showSubmit();
    this.#showCount();
    this.#keepDraft();
  }

  /** Elements are made anew under the hands of who uses them: the one in use keeps the focus. */
  #keepFocus(call) {
    const active = document.activeElement;
    const key =
      active?.name && active.type === "radio"
        ? `[name="${active.name}"]:checked`
        : active?.id
          ? `#${CSS.escape(active.id)}`
          : null;
    const inside = active && (this.#parts.choices.contains(active) || this.#parts.folds.contains(active));
    call();
    if (inside && key) this.#element.querySelector(key)?.focus({ preventScroll: true });
  }

  #fit() {
    const [draft, model] = [this.#draft, this.#model];
    draft.resolution = nearest(model.resolutions, draft.resolution, model.default_resolution);
    const roles = rolesOf(draft);
    draft.ratio = nearest(model.ratios, draft.ratio, model.default_ratio);
    if (!ratios(model, roles).length) draft.ratio = nearest(model.ratios, model.default_ratio);
    draft.duration = nearest(
      durations(model, roles, draft.resolution),
      draft.duration ?? model.default_duration,
      model.default_duration,
    );
  }

  #typed() {
    this.#draft.prompt = this.#parts.prompt.value;
    this.#parts.shot?.show();
    this.#changed({ quiet: true });
  }

  /** Go on with a rewritten prompt as one's own: the shot is part of it. */
  #use(text) {
    Object.assign(this.#draft, { prompt: text, shot: {}, enhance: false, revised: null });
    this.render();
    this.focusPrompt();
  }

  #showCount() {
    const model = this.#model;
    const length = model ? promptLength(model, this.#draft.prompt) : 0;
    setText(this.#parts.count, model?.max_prompt ? `${length} / ${model.max_prompt}` : length ? String(length) : "");
    this.#parts.count.classList.toggle("over", Boolean(model?.max_prompt && length > model.max_prompt));
  }

  #showSubmit() {
    const { button } = this.#parts;
    const [draft, model] = [this.#draft, this.#model];
    button.disabled = !model || this.#sending;
    button.setAttribute("aria-busy", String(this.#sending));
    const details = model
      ? [model.id, draft.duration > 0 ? `${draft.duration} s` : "", draft.resolution].filter(Boolean).join(" · ")
      : t("form.needs_key");
    const busy = icon("busy");
    busy.classList.add("spin");
    button.replaceChildren(
      h(
        "span.submit-line",
        {},
        this.#sending ? busy : icon("spark"),
        t(this.#sending ? "form.sending" : "form.submit"),
      ),
      h("small", {}, details),
    );
  }

  #codeFold() {
    const pre = h("pre.mono", { tabindex: "0", "aria-label": t("code.title") });
    const show = () => setText(pre, this.#code());
    this.#parts.showCode = show;
    const tabs = segments({
      name: "snippet",
      legend: t("code.language"),
      hiddenLegend: true,
      values: Object.keys(SNIPPETS),
      chosen: this.#snippet,
      label: (name) => SNIPPET_NAMES[name],
      onChoose: (name) => {
        this.#snippet = name;
        show();
      },
    });
    const copy = h(
      "button.button.small",
      { type: "button", onclick: () => this.#copy(pre.textContent) },
      icon("copy"),
      t("code.copy"),
    );
    return fold(
      "code",
      t("code.title"),
      this.#folds,
      "",
      h("div.code-head", {}, tabs, copy),
      h("div.code-box", {}, pre),
    );
  }

  #code() {
    return SNIPPETS[this.#snippet](
      BASE.href,
      fieldsOf(this.#draft, this.#model, this.#site.shot),
      inputsOf(this.#draft),
    );
  }

  async #submit() {
    if (this.#sending || !this.#model) return;
    const { problem } = this.#parts;
    clearProblems(this.#element);
    problem.replaceChildren();
    if (!find("#provider_options").checkValidity()) {
      this.#folds.add("advanced");
      find("#provider_options").closest("details").open = true;
      return find("#provider_options").focus();
    }
    this.#sending = true;
    this.#showSubmit();
    try {
      const thumbnail = await thumbnailOf(this.#draft.inputs);
      const sent = submit(this.#draft, this.#model, this.#site.shot, { thumbnail });
      this.#onSubmitted(sent);
      await sent;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#showError(error);
    } finally {
      this.#sending = false;
      this.#showSubmit();
    }
  }

  #showError(error) {
    const rest = showProblems(this.#element, problemsOf(error), (field, value) => this.#take(field, value));
    if (!rest.length) return;
    const text = rest.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join("; ");
    const id = error.requestId ? h("span.mono", {}, ` ${error.requestId}`) : null;
    this.#parts.problem.replaceChildren(h("div.banner.danger", {}, icon("alert"), h("p", {}, text, id)));
  }

  /** Take a value that an error message offers. */
  #take(field, value) {
    clearProblems(this.#element);
    const model = field === "model" ? this.#models.find((one) => one.id === value) : null;
    if (model) return this.#choose(model);
    this.#draft[field] = field === "duration" ? Number(value) : value;
    this.#changed();
  }
}
