// The request of the form as a program: curl, Python, JavaScript. The key stays a variable.

import { filesOf, plainBody } from "./request.js";

export const SNIPPETS = { curl, python, javascript };

const PATH = "v1/videos/generations";

function shell(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function formFields(fields, inputs) {
  const flat = [];
  for (const [name, value] of Object.entries(plainBody(fields, inputs))) {
    for (const one of Array.isArray(value) ? value : [value]) {
      const key = Array.isArray(value) ? `${name}[]` : name;
      flat.push([key, typeof one === "object" ? JSON.stringify(one) : String(one)]);
    }
  }
  return flat;
}

function curl(base, fields, inputs) {
  const files = filesOf(inputs);
  const lines = [`curl ${shell(base + PATH)}`, `-H "Authorization: Bearer $GATEWAY_KEY"`];
  if (files.length) {
    lines.push(...formFields(fields, inputs).map(([name, value]) => `--form-string ${shell(`${name}=${value}`)}`));
    lines.push(...files.map(([field, name]) => `-F ${shell(`${field}=@"${name.replace(/["\\]/g, "\\$&")}"`)}`));
  } else {
    lines.push(
      "-H 'Content-Type: application/json'",
      `-d ${shell(JSON.stringify(plainBody(fields, inputs), null, 2))}`,
    );
  }
  return lines.join(" \\\n  ");
}

/** A JSON value as Python writes it. */
function pythonValue(value, indent = "") {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  const inner = `${indent}    `;
  if (Array.isArray(value)) return `[${value.map((one) => pythonValue(one, indent)).join(", ")}]`;
  if (typeof value === "object") {
    const rows = Object.entries(value).map(
      ([name, one]) => `${inner}${JSON.stringify(name)}: ${pythonValue(one, inner)},`,
    );
    return rows.length ? `{\n${rows.join("\n")}\n${indent}}` : "{}";
  }
  return JSON.stringify(value);
}

function python(base, fields, inputs) {
  const files = filesOf(inputs);
  const body = files.length
    ? `data=${pairs(formFields(fields, inputs))}`
    : `json=${pythonValue(plainBody(fields, inputs), "    ")}`;
  const opened = files.map(
    ([field, name]) => `        (${JSON.stringify(field)}, open(${JSON.stringify(name)}, "rb")),`,
  );
  return [
    "import os",
    "import time",
    "",
    "import httpx",
    "",
    `gateway = httpx.Client(base_url=${JSON.stringify(base)}, timeout=90)`,
    `gateway.headers["Authorization"] = f"Bearer {os.environ['GATEWAY_KEY']}"`,
    "submitted = gateway.post(",
    `    ${JSON.stringify(PATH)},`,
    `    ${body},`,
    ...(files.length ? ["    files=[", ...opened, "    ],"] : []),
    ").raise_for_status()",
    "path = f\"v1/videos/tasks/{submitted.json()['task_id']}\"",
    'while (task := gateway.get(path).raise_for_status().json())["status"] not in ("completed", "failed"):',
    "    time.sleep(2)",
    'print(task["result"]["url"] if task["status"] == "completed" else task["error"])',
  ].join("\n");
}

/** Form fields as a Python dict, in which a repeated name has a list. */
function pairs(flat) {
  const fields = {};
  for (const [name, value] of flat) fields[name] = name in fields ? [fields[name], value].flat() : value;
  return pythonValue(fields, "    ");
}

function javascript(base, fields, inputs) {
  const files = filesOf(inputs);
  const head = [
    'import { openAsBlob } from "node:fs";',
    "",
    "const form = new FormData();",
    ...formFields(fields, inputs).map(
      ([name, value]) => `form.append(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
    ),
    ...files.map(
      ([field, name]) =>
        `form.append(${JSON.stringify(field)}, await openAsBlob(${JSON.stringify(name)}), ${JSON.stringify(name)});`,
    ),
    "",
  ];
  const body = files.length ? "form" : `JSON.stringify(${JSON.stringify(plainBody(fields, inputs), null, 2)})`;
  const type = files.length ? "" : ', "Content-Type": "application/json"';
  return [
    ...(files.length ? head : []),
    `const base = ${JSON.stringify(base)};`,
    `const headers = { Authorization: \`Bearer \${process.env.GATEWAY_KEY}\`${type} };`,
    `const submitted = await fetch(base + ${JSON.stringify(PATH)}, { method: "POST", headers, body: ${body} });`,
    "if (!submitted.ok) throw new Error(await submitted.text());",
    "const { task_id } = await submitted.json();",
    "let task;",
    "do {",
    "  await new Promise((resolve) => setTimeout(resolve, 2000));",
    "  task = await (await fetch(`${base}v1/videos/tasks/${task_id}`, { headers })).json();",
    '} while (task.status === "pending" || task.status === "processing");',
    "console.log(task.result?.url ?? task.error);",
  ].join("\n");
}
