// The playground: joins the form, the tasks and what follows them.

import { ApiError, BASE, call, json } from "../shared/api.js";
import { find, h, icon } from "../shared/dom.js";
import { mountHeader } from "../shared/header.js";
import { addTexts, languageChanged, t, translate } from "../shared/i18n.js";
import { forgetFiles, inputsOfTask } from "./files.js";
import * as follow from "./follow.js";
import { Form } from "./form.js";
import { currentKey, keyChanged, keyTag, mountKey } from "./key.js";
import { TaskList } from "./list.js";
import { announce, mountNotifications } from "./notify.js";
import { hasExpired, videoFile } from "./stage.js";
import * as store from "./store.js";
import en from "./texts.en.js";
import zh from "./texts.zh.js";

addTexts("en", en);
addTexts("zh", zh);
translate(document);

const notices = new Map();

/** A line above everything, one for each `name`; null takes it away. */
function notice(name, element) {
  notices.get(name)?.remove();
  notices.delete(name);
  if (!element) return;
  notices.set(name, element);
  find("#notices").append(element);
}

function banner(tone, image, text, ...more) {
  return h(
    `div.banner.${tone}`,
    { role: tone === "danger" ? "alert" : "status" },
    icon(image),
    h("p", {}, text),
    ...more,
  );
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // On plain http there is no clipboard of that name.
    const area = h("textarea.sr", {});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce(t("announce.copied"));
  brief(t("announce.copied"));
}

let briefly = 0;
function brief(text) {
  clearTimeout(briefly);
  notice("brief", banner("info", "check", text));
  briefly = setTimeout(() => notice("brief", null), 2500);
}

function complain(error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.away) return follow.setAway();
  const close = h(
    "button.button.small.quiet.only-icon",
    { type: "button", "aria-label": t("page.close"), onclick: () => notice("error", null) },
    icon("close"),
  );
  const id = error.requestId ? h("span.mono", {}, ` ${error.requestId}`) : null;
  const element = banner("danger", "alert", "", close);
  element.querySelector("p").append(error.message, ...(id ? [id] : []));
  notice("error", element);
}

function showView(name) {
  find("main").dataset.view = name;
  find("#tab-create").setAttribute("aria-pressed", String(name === "create"));
  find("#tab-tasks").setAttribute("aria-pressed", String(name === "tasks"));
  scrollTo({ top: 0 });
}

/** Do something for a task while its button shows that it is being done. */
async function busy(record, name, work) {
  store.change(record.local, { busy: name });
  try {
    await work();
  } catch (error) {
    complain(error);
  } finally {
    store.change(record.local, { busy: null });
  }
}

function actionsFor(form) {
  return {
    play: (_, card) => card.stage.play(),
    // A video in the archive has a link to this gateway, without a host.
    link: (record) => copy(new URL(record.result.url, BASE).href),
    id: (record) => copy(record.id),
    remove: (record) => store.remove((one) => one.local === record.local),
    again: async (record) => {
      const kept = await inputsOfTask(record.local);
      const preview = (item) => (item.file ? URL.createObjectURL(item.file) : "");
      form.restore(
        record.draft,
        kept.map((item) => ({ ...item, wanted: item.role, preview: preview(item) })),
      );
      if (record.hasInputs && !kept.length) brief(t("task.files_gone"));
      showView("create");
      form.focusPrompt();
    },
    download: (record) =>
      busy(record, "download", async () => {
        const file = URL.createObjectURL(await videoFile(record));
        h("a", { href: file, download: `${record.provider}-${record.id}.mp4` }).click();
        setTimeout(() => URL.revokeObjectURL(file), 60_000);
      }),
    cancel: (record) =>
      busy(record, "cancel", async () => {
        const { data } = await json(`v1/videos/tasks/${encodeURIComponent(record.id)}/cancel`, { method: "POST" });
        store.apply(record.local, data);
      }),
  };
}

function mountTabs() {
  find("#tab-create").addEventListener("click", () => showView("create"));
  find("#tab-tasks").addEventListener("click", () => showView("tasks"));
}

function mountKeys(form) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      showView("create");
      form.focusPrompt();
    }
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    form.addFiles(files);
  });
  // A file that misses the drop zone must not replace the page.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    form.addFiles(event.dataTransfer.files);
  });
}

/** Models, unfinished tasks and live states of the present key. */
async function useKey(form) {
  const key = currentKey();
  store.setOwner(keyTag());
  follow.stop();
  notice("error", null);
  form.setModels([]);
  // Without a key there is nothing to do but to give one, which is asked for beside the form.
  showView(key ? "create" : "tasks");
  if (!key) return;
  follow.restart();
  try {
    const { data } = await json("v1/models");
    if (key !== currentKey()) return;
    const canEnhance = data.data.some((model) => model.type === "chat");
    form.setModels(
      data.data.filter((model) => model.type === "video"),
      { canEnhance },
    );
  } catch (error) {
    return complain(error);
  }
  // Links that have run out are renewed by asking again.
  const expired = store.all().filter((record) => record.state === "completed" && hasExpired(record));
  const catchUp = [follow.findUnfinished(), ...(expired.length ? [follow.poll(expired)] : [])];
  for (const outcome of await Promise.allSettled(catchUp)) {
    if (outcome.status === "rejected" && outcome.reason.away) follow.setAway();
  }
}

async function loadSite() {
  for (let tries = 0; ; tries += 1) {
    try {
      const response = await call("playground/site.json");
      return await response.json();
    } catch (error) {
      notice("away", banner("warning", "alert", t("page.away")));
      await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, 8000)));
      if (!(error instanceof ApiError)) throw error;
    }
  }
}

async function start() {
  mountHeader();
  mountTabs();
  const site = await loadSite();
  notice("away", null);
  store.setOwner(keyTag());
  const form = new Form(site, {
    copy,
    onSubmitted: (sent) => (showView("tasks"), sent.then(follow.sync, () => showView("create"))),
  });
  new TaskList(site, { actions: actionsFor(form), onExample: (text) => (showView("create"), form.setPrompt(text)) });
  mountKey(site, () => {
    store.clear();
    forgetFiles();
    form.clear();
  });
  mountKeys(form);
  mountNotifications();
  languageChanged.on(async () => {
    form.render();
    // Messages of the gateway come in the language they were asked in.
    follow.restart();
    const records = store
      .all()
      .filter((record) => record.id && record.state === "failed")
      .slice(0, 100);
    if (records.length) await follow.poll(records).catch(complain);
  });
  follow.refused.on((error) => complain(error));
  follow.awayChanged.on((away) => {
    document.body.classList.toggle("away", away);
    notice("away", away ? banner("warning", "alert", t("page.away")) : null);
    if (!away && !form.hasModels) useKey(form);
  });
  keyChanged.on(() => useKey(form));
  forgetFiles((local) => !store.get(local));
  follow.pollForever();
  await useKey(form);
  document.documentElement.dataset.ready = "";
}

start();
