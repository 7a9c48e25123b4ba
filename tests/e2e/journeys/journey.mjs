// One journey through the OpenAI Videos API with the JavaScript library; the same as journey.py.
//
//     node journey.mjs BASE_URL JIMENG_SESSION DASHSCOPE_KEY FOLDER
//
// prints what it saw as one JSON object.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [baseURL, session, key, folder] = process.argv.slice(2);
const library = createRequire(join(process.env.OPENAI_JS, "package.json")).resolve("openai");
const { default: OpenAI, toFile, APIError } = await import(pathToFileURL(library));

const PNG = await readFile(new URL("../../../providers/sandbox/pictures/cat.png", import.meta.url));
const client = (apiKey, maxRetries = 2) => new OpenAI({ baseURL, apiKey, maxRetries, timeout: 20_000 });
const jimeng = client(session);
const wan = client(key);
const seen = { version: "js" };

async function follow(api, id) {
  for (let tries = 0; tries < 400; tries += 1) {
    const video = await api.videos.retrieve(id);
    if (video.status === "completed" || video.status === "failed") return video;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("not finished");
}

const created = await jimeng.videos.create({ prompt: "a cat", model: "sora-2", seconds: "8", size: "1280x720" });
seen.created = created;
seen.polled = await follow(jimeng, created.id);
seen.retrieved = await jimeng.videos.retrieve(created.id);

const picture = await toFile(PNG, "a.png", { type: "image/png" });
const withFile = await wan.videos.create({ prompt: "x", model: "wan2.6-i2v", input_reference: picture });
seen.with_file = await follow(wan, withFile.id);
seen.with_url = await wan.videos.create({
  prompt: "x",
  model: "wan2.6-i2v",
  input_reference: { image_url: "https://example.com/a.png" },
});
seen.with_text = await wan.videos.create({
  prompt: "x",
  model: "wan2.6-i2v",
  input_reference: "https://example.com/a.png",
});

seen.with_sides = await wan.videos.create({ prompt: "x", model: "wan2.6-t2v", width: 720, height: 1280, fps: 24 });
const withFrames = await wan.videos.create({
  prompt: "x",
  model: "wan2.7-i2v",
  first_frame_image: "https://example.com/first.png",
  end_image_url: "https://example.com/last.png",
  generate_audio: true,
});
seen.with_frames = await follow(wan, withFrames.id);
try {
  await wan.videos.create({ prompt: "x", model: "wan2.6-t2v", num_frames: 81 }, { maxRetries: 0 });
} catch (error) {
  seen.unknown_field = error.param;
}

const save = async (response, name) =>
  writeFile(join(folder, name), Buffer.from(await response.arrayBuffer()));
await save(await jimeng.videos.downloadContent(created.id), "video.mp4");
await save(await jimeng.videos.downloadContent(created.id, { variant: "thumbnail" }), "thumbnail.jpg");
seen.remixed = await jimeng.videos.remix(created.id, { prompt: "a dog" });

for (let number = 0; number < 3; number += 1) await jimeng.videos.create({ prompt: `x ${number}` });
await new Promise((resolve) => setTimeout(resolve, 200)); // The site shows a task only a little after its submit.
seen.listed = [];
for await (const video of jimeng.videos.list({ limit: 2 })) seen.listed.push(video.id);
seen.listed_ascending = [];
for await (const video of jimeng.videos.list({ limit: 2, order: "asc" })) seen.listed_ascending.push(video.id);

const waiting = await wan.videos.create({ prompt: "x #pending", model: "wan2.6-t2v" });
seen.deleted = await wan.videos.delete(waiting.id);
seen.after_delete = await wan.videos.retrieve(waiting.id);

const once = client(session, 0);
// An account of its own for each refusal that is held against the account.
const other = (name) => client(`${session}-${name}`, 0);
const calls = {
  "no such video": () => once.videos.retrieve("video_nothing"),
  "unknown model": () => once.videos.create({ prompt: "x", model: "gpt-9" }),
  "bad seconds": () => once.videos.create({ prompt: "x", seconds: "long" }),
  content: () => once.videos.create({ prompt: "x #refuse=2003" }),
  "risk control": () => other("risk").videos.create({ prompt: "x #refuse=1019" }),
  credits: () => other("credits").videos.create({ prompt: "x #refuse=5000" }),
  "too many": () => other("many").videos.create({ prompt: "x #throttle" }),
  unreadable: () => once.videos.create({ prompt: "x #redirect" }),
  "not ready": async () => once.videos.downloadContent((await once.videos.create({ prompt: "x #stuck" })).id),
  "not deletable": () => once.videos.delete(created.id),
  key: () => client("gw-nobody", 0).videos.retrieve(created.id),
};
seen.errors = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    seen.errors[name] = [error.constructor.name, error.status, error.code, Boolean(error.requestID)];
  }
}
console.log(JSON.stringify(seen));
