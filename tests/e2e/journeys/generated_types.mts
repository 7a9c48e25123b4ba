// A client typed by openapi-typescript: openapi-fetch checks paths, bodies and answers against the generated `paths`.
//
// Reads {case: {url, token, model}} as JSON and writes {case: what it saw}.
import createClient from "openapi-fetch";
import type { components, paths } from "./video_api.mjs";

type Case = { url: string; token: string; model: string };

async function journey({ url, token, model }: Case) {
  const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });
  const body: components["schemas"]["VideoGenerationRequest"] = { model, prompt: "a cat" };
  const submitted = await client.POST("/v1/videos/generations", { body });
  if (!submitted.data) throw new Error(JSON.stringify(submitted.error));
  const id = submitted.data.task_id;
  let task: components["schemas"]["TaskObject"] | undefined;
  while (task?.status !== "completed" && task?.status !== "failed") {
    const polled = await client.GET("/v1/videos/tasks/{id}", { params: { path: { id } } });
    if (!polled.data) throw new Error(polled.error.error.message);
    task = polled.data;
  }
  const progress: number | undefined = task.progress;
  const link: string | undefined = task.result?.url;
  const listed = await client.GET("/v1/videos", { params: { query: { limit: 5, order: "desc" } } });
  const refused = await client.POST("/v1/videos", { body: { model: "no-such-model", prompt: "a cat" } });
  return {
    status: task.status,
    progress,
    link,
    listed: listed.data?.data.map((video) => video.id),
    error: refused.error?.error.code,
  };
}

async function main() {
  const chunks: string[] = [];
  for await (const chunk of process.stdin.setEncoding("utf8")) chunks.push(chunk as string);
  const cases: Record<string, Case> = JSON.parse(chunks.join(""));
  const seen: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(cases)) seen[name] = await journey(one);
  process.stdout.write(JSON.stringify(seen));
}

void main();
