// The fields that a model decides: seconds, resolution, ratio, shot description, advanced options. Each function makes
// the elements of the present draft, and calls `onChange` after changing it.

import { h, icon, setText } from "../shared/dom.js";
import { language, t } from "../shared/i18n.js";
import { durations, ratios } from "./capabilities.js";
import { rolesOf } from "./request.js";
import { compose } from "./shot.js";

const MOST_SEGMENTS = 7;
const SHAPE_PIXELS = 21;

/** Radio buttons in a row. `label(value)` gives text or elements. */
export function segments({ name, legend, values, chosen, label = String, onChoose, hiddenLegend = false, extra = "" }) {
  const options = values.map((value) => {
    const input = h("input", { type: "radio", name, value: String(value), checked: value === chosen });
    input.addEventListener("change", () => onChoose(value));
    return h("label.segment", {}, input, h("span", {}, label(value)));
  });
  return h(
    `fieldset.field${extra}`,
    {},
    h(hiddenLegend ? "legend.sr" : "legend", {}, legend),
    h("div.segments", {}, options),
  );
}

/** Seconds, resolution and ratio: those that the model has with these inputs. */
export function videoChoices(draft, model, onChange) {
  const roles = rolesOf(draft);
  const set = (name) => (value) => {
    draft[name] = value;
    onChange();
  };
  const parts = [];
  const seconds = durations(model, roles, draft.resolution);
  if (seconds.length) parts.push(mark(secondsField(draft, seconds, set("duration")), "duration"));
  if (model.resolutions.length > 1) {
    parts.push(
      mark(
        segments({
          name: "resolution",
          legend: t("form.resolution"),
          values: model.resolutions,
          chosen: draft.resolution,
          onChoose: set("resolution"),
        }),
        "resolution",
      ),
    );
  }
  const shapes = ratios(model, roles);
  if (shapes.length > 1) {
    const label = (ratio) => [
      h("span.shape-box", {}, shape(ratio)),
      ratio === "adaptive" || ratio === "auto" ? t("form.auto") : ratio,
    ];
    parts.push(
      mark(
        segments({
          name: "ratio",
          legend: t("form.ratio"),
          values: shapes,
          chosen: draft.ratio,
          label,
          onChoose: set("ratio"),
          extra: ".ratios",
        }),
        "ratio",
      ),
    );
  } else if (model.ratios.length && !shapes.length) {
    parts.push(h("p.meta", {}, t("form.ratio_follows")));
  }
  return parts;
}

function mark(element, field) {
  element.dataset.field = field;
  return element;
}

function secondsField(draft, values, onChoose) {
  const label = (seconds) => (seconds > 0 ? `${seconds} s` : t("form.auto"));
  if (values.length <= MOST_SEGMENTS) {
    return segments({ name: "duration", legend: t("form.duration"), values, chosen: draft.duration, label, onChoose });
  }
  const output = h("output", { for: "duration" }, label(draft.duration));
  const range = h("input", { type: "range", id: "duration", min: "0", max: String(values.length - 1), step: "1" });
  range.value = String(Math.max(0, values.indexOf(draft.duration)));
  const spoken = () => range.setAttribute("aria-valuetext", label(values[Number(range.value)]));
  spoken();
  range.addEventListener("input", () => {
    draft.duration = values[Number(range.value)];
    setText(output, label(draft.duration));
    spoken();
  });
  range.addEventListener("change", () => onChoose(values[Number(range.value)]));
  return h(
    "div.field",
    {},
    h("label.label", { for: "duration" }, t("form.duration")),
    h("div.range", {}, range, output),
  );
}

/** A rectangle in the shape of a ratio. */
export function shape(ratio) {
  const [width, height] = ratio.split(":").map(Number);
  const box = h("span.shape", {});
  if (width && height) {
    const scale = SHAPE_PIXELS / Math.max(width, height);
    box.style.setProperty("--w", `${Math.max(7, Math.round(width * scale))}px`);
    box.style.setProperty("--h", `${Math.max(7, Math.round(height * scale))}px`);
  }
  return box;
}

/** Part of the form that folds out; `open` is kept in `folds` by name. */
export function fold(name, title, folds, note, ...children) {
  const details = h(
    "details.fold",
    { open: folds.has(name) },
    h("summary", {}, icon("chevron"), h("span", {}, title), note ? h("span.meta", {}, note) : null),
    h("div.fold-body", {}, children),
  );
  details.addEventListener("toggle", () => (details.open ? folds.add(name) : folds.delete(name)));
  return details;
}

function select(id, label, options, chosen, onChoose) {
  const element = h(
    "select.input",
    { id },
    h("option", { value: "" }, t("form.any")),
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );
  element.addEventListener("change", () => onChoose(element.value));
  return h("div.field", {}, h("label.label", { for: id }, label), element);
}

/** The word of a shot term: the Chinese phrase that is sent, or the English key as words. */
function termWord(key, phrase) {
  if (language() === "zh") return phrase;
  const words = key.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

export function shotDescription(draft, terms, folds, onChange) {
  const preview = h("p.preview", { id: "shot-preview", lang: "zh-CN" });
  const show = () => setText(preview, compose(terms, { ...draft.shot, prompt: draft.prompt }) || "…");
  const set = (name) => (value) => {
    draft.shot[name] = value;
    show();
    onChange({ quiet: true });
  };
  const choice = (name, label) =>
    mark(
      select(
        `shot-${name}`,
        label,
        Object.entries(terms[name]).map(([key, phrase]) => [key, termWord(key, phrase)]),
        draft.shot[name],
        set(name),
      ),
      name,
    );
  const motion = h("input.input", {
    id: "shot-motion_prompt",
    value: draft.shot.motion_prompt ?? "",
    placeholder: t("shot.motion_example"),
    oninput: () => set("motion_prompt")(motion.value),
  });
  show();
  const element = fold(
    "shot",
    t("shot.title"),
    folds,
    "",
    h("div.pair", {}, choice("camera_movement", t("shot.camera")), choice("shot_type", t("shot.type"))),
    h(
      "div.pair",
      {},
      choice("lighting", t("shot.light")),
      mark(
        h("div.field", {}, h("label.label", { for: "shot-motion_prompt" }, t("shot.motion")), motion),
        "motion_prompt",
      ),
    ),
    h("div.field", {}, h("p.label", {}, t("shot.preview")), preview),
  );
  return { element, show };
}

/** Advanced options: seed, negative prompt, switches, options of the provider. */
export function advanced(draft, model, folds, onChange) {
  const has = (name) => model.parameters.includes(name);
  const { options } = draft;
  const set = (name) => (value) => {
    options[name] = value;
    onChange({ quiet: true });
  };
  const parts = [];
  if (has("negative_prompt")) {
    const area = h("textarea.input", {
      id: "negative_prompt",
      rows: "2",
      maxlength: model.max_negative_prompt ?? null,
      oninput: () => set("negative_prompt")(area.value),
    });
    area.value = options.negative_prompt ?? "";
    parts.push(
      mark(
        h("div.field", {}, h("label.label", { for: "negative_prompt" }, t("advanced.negative")), area),
        "negative_prompt",
      ),
    );
  }
  if (has("seed")) {
    const seed = h("input.input", {
      id: "seed",
      type: "text",
      inputmode: "numeric",
      pattern: "[0-9]*",
      value: options.seed ?? "",
      placeholder: t("advanced.seed_any"),
    });
    seed.addEventListener("input", () => {
      seed.value = seed.value.replace(/\D/g, "").slice(0, 10);
      set("seed")(seed.value);
    });
    parts.push(mark(h("div.field", {}, h("label.label", { for: "seed" }, t("advanced.seed")), seed), "seed"));
  }
  for (const [name, label] of [
    ["prompt_extend", t("advanced.extend")],
    ["audio", t("advanced.audio")],
    ["watermark", t("advanced.watermark")],
  ]) {
    if (has(name)) parts.push(mark(triState(name, label, options[name] ?? null, set(name)), name));
  }
  if (has("shot_type")) {
    const label = (value) =>
      ({ "": t("advanced.default"), single: t("advanced.single"), multi: t("advanced.multi") })[value];
    const shots = segments({
      name: "model-shots",
      legend: t("advanced.shots"),
      values: ["", "single", "multi"],
      chosen: options.shot_type ?? "",
      label,
      onChoose: set("shot_type"),
    });
    parts.push(shots);
  }
  if (has("template")) {
    const template = h("input.input", {
      id: "template",
      value: options.template ?? "",
      oninput: () => set("template")(template.value.trim()),
    });
    parts.push(
      mark(h("div.field", {}, h("label.label", { for: "template" }, t("advanced.template")), template), "template"),
    );
  }
  parts.push(providerOptions(options, onChange));
  return fold("advanced", t("form.advanced"), folds, "", parts);
}

function triState(name, legend, chosen, onChoose) {
  const label = (value) => (value === null ? t("advanced.default") : t(value ? "advanced.on" : "advanced.off"));
  const element = segments({
    name,
    legend,
    values: [null, true, false],
    chosen,
    label,
    onChoose,
    hiddenLegend: true,
    extra: ".tri-field",
  });
  element.querySelector(".segments").before(h("span.label", { "aria-hidden": "true" }, legend));
  element.classList.add("tri");
  return element;
}

function providerOptions(options, onChange) {
  const problem = h(
    "p.field-error",
    { id: "provider-options-error", hidden: true },
    icon("alert"),
    h("span", {}, t("advanced.options_invalid")),
  );
  const area = h("textarea.input.mono", {
    id: "provider_options",
    rows: "3",
    spellcheck: "false",
    placeholder: '{ "…": … }',
    "aria-describedby": "provider-options-error",
  });
  area.value = options.provider_options_text ?? "";
  const check = () => {
    const text = area.value.trim();
    options.provider_options_text = area.value;
    const valid = !text || isObject(text);
    options.provider_options = valid ? text : "";
    problem.hidden = valid;
    area.setAttribute("aria-invalid", String(!valid));
    area.setCustomValidity(valid ? "" : t("advanced.options_invalid"));
    onChange({ quiet: true });
  };
  area.addEventListener("input", check);
  const element = h(
    "div.field",
    { "data-field": "provider_options" },
    h("label.label", { for: "provider_options" }, t("advanced.options")),
    area,
    problem,
  );
  if (area.value) queueMicrotask(check);
  return element;
}

function isObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
