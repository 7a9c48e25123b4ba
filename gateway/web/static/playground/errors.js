// Errors of a submit at their fields: the gateway names all bad fields in one message, `field: what; field: what`.

import { h, icon } from "../shared/dom.js";

const FIELDS = {
  seconds: "duration",
  aspect_ratio: "ratio",
  size: "resolution",
  first_frame: "inputs",
  last_frame: "inputs",
  reference_images: "inputs",
  reference_videos: "inputs",
  first_clip: "inputs",
  video_url: "inputs",
  audio_url: "inputs",
  image_url: "inputs",
};
const MOST_CHIPS = 8;

/** The name of the form's part for a field of the request: `first_frame`, `images[0]`, `provider_options.x`. */
function partOf(param) {
  const name = param.replace(/[.[].*$/, "");
  return FIELDS[name] ?? (/^(image|video|audio|reference)/.test(name) ? "inputs" : name);
}

/** `[{field, message, allowed}]` of an ApiError; `field` is "" for what concerns no field. */
export function problemsOf(error) {
  // "; allowed: …" belongs to the field before it.
  const pieces = error.message.split(/；(?=[\w.[\]]+：)|; (?!allowed: |supported: )(?=[\w.[\]]+: )/);
  return pieces.map((piece) => {
    const named = /^([\w.[\]]+)(?:：|: )/.exec(piece);
    const param = named?.[1] ?? error.param;
    return {
      field: param ? partOf(param) : "",
      message: named ? piece.slice(named[0].length) : piece,
      allowed: allowedIn(piece),
    };
  });
}

function allowedIn(text) {
  const listed = /(?:可选：|可用：|相近的可用模型：|allowed: |closest models: )(.+)$/.exec(text);
  return listed
    ? listed[1]
        .split(", ")
        .filter((word) => /^[\w.:/-]+$/.test(word))
        .slice(0, MOST_CHIPS)
    : [];
}

export function clearProblems(form) {
  for (const element of form.querySelectorAll(".problem")) element.remove();
  for (const element of form.querySelectorAll("[aria-invalid]")) {
    if (element.id !== "provider_options") element.removeAttribute("aria-invalid");
  }
}

/** Show what has a place in the form there; returns the rest. `onAllowed(field, value)` takes an allowed value. */
export function showProblems(form, problems, onAllowed) {
  const rest = [];
  let first = null;
  for (const { field, message, allowed } of problems) {
    const place = field ? form.querySelector(`[data-field="${CSS.escape(field)}"]`) : null;
    if (!place || place.hidden) {
      rest.push({ field, message });
      continue;
    }
    const folded = place.closest("details");
    if (folded) folded.open = true;
    const id = `problem-${field}`;
    const chips = allowed.map((value) =>
      h("button.button.small", { type: "button", onclick: () => onAllowed(field, value) }, value),
    );
    place.append(
      h(
        "div.problem",
        { id },
        h("p.field-error", {}, icon("alert"), h("span", {}, message)),
        chips.length ? h("div.allowed", {}, chips) : null,
      ),
    );
    const control = place.querySelector("textarea, input:not([type=file]):not([type=radio]), select");
    control?.setAttribute("aria-invalid", "true");
    control?.setAttribute("aria-errormessage", id);
    first ??= control ?? place.querySelector("button, input");
  }
  first?.focus();
  return rest;
}
