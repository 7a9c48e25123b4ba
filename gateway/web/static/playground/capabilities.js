// What a model can do, from its object of /v1/models: pure functions, no page.

export const KIND_OF_ROLE = {
  first_frame: "image",
  last_frame: "image",
  reference_image: "image",
  reference_video: "video",
  first_clip: "video",
  video: "video",
  reference_audio: "audio",
  driving_audio: "audio",
};
const ROLES = Object.keys(KIND_OF_ROLE);

/** The roles that a kind of input can have beside inputs of `others`, in the order of preference. */
export function rolesFor(model, kind, others = []) {
  return ROLES.filter((role) => KIND_OF_ROLE[role] === kind && fits(model, [...others, role]));
}

/** Whether the model takes inputs of these roles together; a set that lacks some of its own counts, while they are
 * being added. */
function fits(model, roles) {
  const count = (role) => roles.filter((one) => one === role).length;
  const limit = (role) => {
    const beside = Object.entries(model.input_counts_with ?? {}).filter(([other]) => roles.includes(other));
    return Math.min(model.input_counts[role] ?? 0, ...beside.map(([, counts]) => counts[role] ?? Infinity));
  };
  const references = roles.filter((role) => role.startsWith("reference_")).length;
  return (
    roles.length <= (model.max_inputs ?? Infinity) &&
    references <= (model.max_references ?? Infinity) &&
    roles.every((role) => count(role) <= limit(role)) &&
    model.inputs.some((set) => roles.every((role) => set.includes(role)))
  );
}

/** Give each item `{kind, role}` a role that the model takes: its own if it fits, else the first that does, else
 * null, for an input that this model does not use. */
export function assignRoles(model, items) {
  const taken = [];
  for (const item of items) {
    const possible = rolesFor(model, item.kind, taken);
    item.role = possible.includes(item.wanted) ? item.wanted : (possible[0] ?? null);
    if (item.role) taken.push(item.role);
  }
  return items;
}

/** The roles that an item can be given: those that fit beside the others, and those of an item to change places with. */
export function choicesFor(model, items, item) {
  const others = items.filter((one) => one !== item && one.role).map((one) => one.role);
  const swaps = items.filter((one) => one !== item && one.kind === item.kind && one.role).map((one) => one.role);
  return ROLES.filter(
    (role) => rolesFor(model, item.kind, others).includes(role) || swaps.includes(role) || role === item.role,
  );
}

export function takesInputs(model) {
  return model.inputs.some((set) => set.length > 0);
}

export function needsInput(model) {
  return model.inputs.every((set) => set.length > 0);
}

export function kindsOf(model) {
  return [...new Set(model.inputs.flat().map((role) => KIND_OF_ROLE[role]))];
}

/** The seconds to choose from beside these inputs at this resolution; empty where there is no choice. */
export function durations(model, roles, resolution) {
  const beside = Object.entries(model.durations_with ?? {}).find(([role]) => roles.includes(role));
  const allowed = beside ? beside[1] : model.durations;
  const here = model.durations_at?.[resolution];
  return here ? allowed.filter((seconds) => here.includes(seconds)) : allowed;
}

/** The ratios to choose from; empty where the model has none, or an input determines it. */
export function ratios(model, roles) {
  return roles.some((role) => model.ratio_from?.includes(role)) ? [] : model.ratios;
}

/** The nearest choice to a value; `fallback`, else the first, without one. */
export function nearest(choices, value, fallback) {
  if (choices.includes(value)) return value;
  if (typeof value === "number" && choices.length) {
    return choices.reduce((best, one) => (Math.abs(one - value) < Math.abs(best - value) ? one : best));
  }
  return choices.includes(fallback) ? fallback : choices[0];
}

/** Characters as the upstream counts them: a Chinese one may count as several. */
export function promptLength(model, text) {
  const weight = model.han_weight ?? 1;
  let length = 0;
  for (const character of text) length += weight > 1 && /\p{Script=Han}/u.test(character) ? weight : 1;
  return length;
}
