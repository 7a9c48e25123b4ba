// The prompt with its shot description, as `gateway/api/schemas/shot_prompt.py` composes it from the same tables.

// What Python strips; JavaScript's `trim` takes other characters.
const BLANK = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const ENDS = new RegExp(`^${BLANK}+|${BLANK}+$`, "g");

export function strip(text) {
  return text.replace(ENDS, "");
}

/** `terms` are those of `site.json`; `given` has the request's fields. */
export function compose(terms, given) {
  const { prompt = "", shot_type, motion_prompt: motion = "" } = given;
  const [camera, shot, light] = [given.camera_movement, shot_type, given.lighting].map((word) => strip(word ?? ""));
  const known = (table, word) => (Object.hasOwn(table, word) ? table[word] : null);
  const parts = [
    known(terms.camera_movement, camera) ?? camera,
    terms.model_shot_types.includes(shot_type?.toLowerCase()) ? "" : (known(terms.shot_type, shot) ?? shot),
    light && (known(terms.lighting, light) ?? light + terms.light_suffix),
    motion,
    prompt,
  ];
  return parts.map(strip).filter(Boolean).join(terms.separator);
}
