// The request that a draft stands for: fields, inputs, and what is sent.

import { durations, ratios } from "./capabilities.js";
import { compose } from "./shot.js";

const FIELD_OF_ROLE = {
  first_frame: "first_frame",
  last_frame: "last_frame",
  reference_image: "reference_images",
  reference_video: "reference_videos",
  first_clip: "first_clip",
  video: "video_url",
  reference_audio: "audio_url",
  driving_audio: "audio_url",
};
const LISTS = new Set(["reference_images", "reference_videos", "audio_url", "video_url"]);
const SHOT = ["camera_movement", "shot_type", "lighting", "motion_prompt"];
const SWITCHES = ["audio", "prompt_extend", "watermark"];

/** A draft with nothing in it. `inputs` are `{kind, role, wanted, file | address, name}`. */
export function emptyDraft() {
  return { model: "", prompt: "", inputs: [], shot: {}, options: {}, enhance: false, revised: null };
}

/** What a rewritten prompt is made of, as text: of another one it is no longer the prompt. */
export function signatureOf(draft) {
  const inputs = draft.inputs.map(({ role, name, address, file }) => [role, name, address, file?.size]);
  return JSON.stringify([draft.model, draft.prompt, draft.shot, inputs]);
}

/** The rewritten prompt of a draft; null without one. */
export function revisedOf(draft) {
  return draft.enhance && draft.revised?.of === signatureOf(draft) ? draft.revised.prompt : null;
}

export function rolesOf(draft) {
  return draft.inputs.map((item) => item.role).filter(Boolean);
}

/** The fields without inputs, only those that the model has. */
export function fieldsOf(draft, model, terms) {
  const roles = rolesOf(draft);
  const fields = { model: model.id, prompt: draft.prompt };
  const shot = Object.fromEntries(SHOT.map((name) => [name, draft.shot[name]]).filter(([, value]) => value));
  const modelShots = model.parameters.includes("shot_type") ? draft.options.shot_type : "";
  const revised = revisedOf(draft);
  if (revised !== null) {
    // The shot is part of it.
    fields.prompt = revised;
  } else if (modelShots && shot.shot_type) {
    // Both go by one name, so the description is sent inside the prompt.
    fields.prompt = compose(terms, { prompt: draft.prompt, ...shot });
  } else {
    Object.assign(fields, shot);
  }
  if (draft.enhance && revised === null) fields.enhance_prompt = true;
  if (modelShots) fields.shot_type = modelShots;
  if (draft.duration != null && durations(model, roles, draft.resolution).includes(draft.duration)) {
    fields.duration = draft.duration;
  }
  if (model.resolutions.includes(draft.resolution)) fields.resolution = draft.resolution;
  if (ratios(model, roles).includes(draft.ratio)) fields.ratio = draft.ratio;
  for (const name of ["negative_prompt", "template"]) {
    if (model.parameters.includes(name) && draft.options[name]) fields[name] = draft.options[name];
  }
  if (model.parameters.includes("seed") && draft.options.seed) fields.seed = Number(draft.options.seed);
  for (const name of SWITCHES) {
    if (model.parameters.includes(name) && draft.options[name] != null) fields[name] = draft.options[name];
  }
  if (draft.options.provider_options) fields.provider_options = JSON.parse(draft.options.provider_options);
  return fields;
}

/** The inputs by field: `[[field, file or address, name], …]`, in order. */
export function inputsOf(draft) {
  return draft.inputs
    .filter((item) => item.role)
    .map((item) => [FIELD_OF_ROLE[item.role], item.file ?? item.address, item.name]);
}

/** Inputs that are addresses, as JSON has them. */
function jsonInputs(inputs) {
  const fields = {};
  for (const [field, value] of inputs) {
    if (LISTS.has(field)) (fields[field] ??= []).push(value);
    else fields[field] = value;
  }
  return fields;
}

/** Body and headers of the submit: JSON, or a form where there are files. */
export function encode(fields, inputs) {
  if (!inputs.some(([, value]) => value instanceof Blob)) {
    return {
      body: JSON.stringify({ ...fields, ...jsonInputs(inputs) }),
      headers: { "Content-Type": "application/json" },
    };
  }
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  for (const [field, value, name] of inputs) {
    const key = LISTS.has(field) ? `${field}[]` : field;
    if (value instanceof Blob) form.append(key, value, name);
    else form.append(key, value);
  }
  return { body: form, headers: {} };
}

export function plainBody(fields, inputs) {
  return { ...fields, ...jsonInputs(inputs.filter(([, value]) => typeof value === "string")) };
}

export function filesOf(inputs) {
  return inputs
    .filter(([, value]) => value instanceof Blob)
    .map(([field, , name]) => [LISTS.has(field) ? `${field}[]` : field, name]);
}
