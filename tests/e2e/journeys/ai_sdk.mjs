// Vercel's AI SDK with its provider for Alibaba, as user code writes it, against DashScope's own wire.
//
//     AI_SDK=FOLDER node ai_sdk.mjs ORIGIN PICTURE_URL FOLDER < CASES
//
// CASES is a JSON object of name → {model, key, options, image, last, references}: `options` go to generateVideo as
// they are; `image`, `last` and each of `references` are "url" (the picture's address), "bytes" (the picture itself) or
// an address. It prints what came of every case as one JSON object, and writes each video to FOLDER/name.mp4.

import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [origin, pictureUrl, folder] = process.argv.slice(2);
const { resolve } = createRequire(join(process.env.AI_SDK, "package.json"));
const { experimental_generateVideo: generateVideo } = await import(pathToFileURL(resolve("ai")));
const { createAlibaba } = await import(pathToFileURL(resolve("@ai-sdk/alibaba")));

globalThis.AI_SDK_LOG_WARNINGS = false;

const calls = [];
async function loopbackFetch(input, init) {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.hostname !== "127.0.0.1") throw new Error(`left loopback for ${url.hostname}`);
  calls.push(init?.method ?? "GET");
  return fetch(input, init);
}
async function download({ url }) {
  const response = await loopbackFetch(url);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return { data: new Uint8Array(await response.arrayBuffer()), mediaType: response.headers.get("content-type") };
}

const bytes = (await download({ url: pictureUrl })).data;
const pictures = { url: pictureUrl, bytes };
const picture = (name) => pictures[name] ?? name;

async function run(name, { model, key, options = {}, prompt = "a cat", image, last, references }) {
  const alibaba = createAlibaba({ videoBaseURL: origin, apiKey: key, fetch: loopbackFetch });
  const frames = last && [
    { image: picture(image), frameType: "first_frame" },
    { image: picture(last), frameType: "last_frame" },
  ];
  const { providerOptions, ...rest } = options;
  const before = calls.length;
  try {
    const result = await generateVideo({
      model: alibaba.video(model),
      prompt: image && !last ? { image: picture(image), text: prompt } : prompt,
      maxRetries: 0,
      download,
      ...(frames && { frameImages: frames }),
      ...(references && { inputReferences: references.map(picture) }),
      providerOptions: { alibaba: { pollIntervalMs: 20, pollTimeoutMs: 20_000, ...providerOptions } },
      ...rest,
    });
    await writeFile(join(folder, `${name}.mp4`), result.video.uint8Array);
    return {
      mediaType: result.video.mediaType,
      metadata: result.providerMetadata.alibaba,
      warnings: result.warnings.map((one) => one.feature ?? one.message),
      calls: calls.slice(before),
    };
  } catch (error) {
    const { name: kind, message, statusCode, responseBody } = error;
    return { error: { kind, message, status: statusCode, body: responseBody && JSON.parse(responseBody) } };
  }
}

let text = "";
for await (const piece of process.stdin) text += piece;
const seen = {};
for (const [name, one] of Object.entries(JSON.parse(text))) seen[name] = await run(name, one);
console.log(JSON.stringify(seen));
