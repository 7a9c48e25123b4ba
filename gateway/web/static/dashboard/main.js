// The operator's page: reads the metrics and the accounts of this gateway every two seconds. Nothing else is asked for.

import { ApiError, call, json, setKey } from "../shared/api.js";
import { find, h, icon, setText } from "../shared/dom.js";
import { mountHeader } from "../shared/header.js";
import { addTexts, languageChanged, t, translate } from "../shared/i18n.js";
import { keyField } from "../shared/key_field.js";
import { forget, load, remembers, save, setRemembering } from "../shared/storage.js";
import { Accounts } from "./accounts.js";
import { Figures } from "./figures.js";
import { History } from "./history.js";
import { Reading } from "./metrics.js";
import en from "./texts.en.js";
import zh from "./texts.zh.js";

addTexts("en", en);
addTexts("zh", zh);
translate(document);

const INTERVAL_MS = 2000;
const NOTICE_MS = 6000;

let key = load("admin-key", "");
let history = new History();
let accounts = [];
let providers = {};
let wake = () => {};
let noticeTimer = 0;
let lockedKey = null;

const providerName = (name) => providers[name] ?? name;

function notice(tone, text) {
  clearTimeout(noticeTimer);
  const shown = h(`div.banner.${tone}`, {}, icon(tone === "info" ? "check" : "alert"), h("p", {}, text));
  find("#notices").replaceChildren(shown);
  setText(find("#live"), text);
  if (tone !== "warning") noticeTimer = setTimeout(() => find("#notices").replaceChildren(), NOTICE_MS);
}

function setAway(away) {
  document.body.classList.toggle("away", away);
  const shown = find("#notices").querySelector(".banner.warning");
  if (away && !shown) notice("warning", t("dashboard.away"));
  if (!away && shown) find("#notices").replaceChildren();
}

function useKey(value) {
  key = value.trim();
  setKey(key);
  save("admin-key", key || null);
  history = new History();
  wake();
}

/** Ask for the admin key. `error` says why. */
function lock(error) {
  find("#content").hidden = true;
  find("#forget-button").hidden = true;
  const locked = find("#locked");
  // What is being typed stays.
  if (!locked.hidden && lockedKey === key) return;
  lockedKey = key;
  const { input, element } = keyField({ id: "admin-key", value: "", placeholder: "GATEWAY_ADMIN_KEY" });
  const remember = h("input", {
    type: "checkbox",
    role: "switch",
    checked: remembers(),
    onchange: () => setRemembering(remember.checked),
  });
  const content = [
    h("h2", {}, t("dashboard.locked")),
    h("p.meta", { id: "admin-key-hint" }, t("dashboard.hint")),
    h(
      "form.key-form",
      { onsubmit: (event) => (event.preventDefault(), useKey(input.value)) },
      h("label.label", { for: "admin-key" }, t("key.label")),
      h("div.key-row", {}, element, h("button.button.primary", { type: "submit" }, t("key.use"))),
      h("label.switch", {}, remember, h("span", {}, t("key.remember"))),
    ),
    key ? h("p.field-error", {}, icon("alert"), h("span", {}, error.message)) : "",
  ];
  locked.replaceChildren(...content);
  locked.hidden = false;
}

async function act(name, action) {
  try {
    const { data } = await json(`v1/accounts/${encodeURIComponent(name)}/${action}`, { method: "POST" });
    accounts = accounts.map((account) => (account.name === name ? data.account : account));
    table.show(accounts, providerName);
    notice(data.live === false ? "danger" : "info", outcome(name, action, data));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notice("danger", `${name}: ${error.message}`);
  }
}

function outcome(name, action, data) {
  if (action === "check") return t(data.live ? "done.alive" : "done.refused", { name });
  if (action === "points") return t("done.points", { name, count: data.credits.total });
  if (action === "receive") return t("done.received", { name, count: data.received });
  return t(action === "pause" ? "done.paused" : "done.resumed", { name });
}

async function read() {
  const [text, { data }] = await Promise.all([
    call("metrics").then((response) => response.text()),
    json("v1/accounts"),
  ]);
  accounts = data.data;
  history.add(new Reading(text, performance.now() / 1000), accounts);
  find("#locked").hidden = true;
  find("#content").hidden = false;
  find("#forget-button").hidden = !key;
  figures.show(history, providerName);
  table.show(accounts, providerName);
  const ready = accounts.filter((account) => account.state === "ready").length;
  document.title = accounts.length ? `${ready}/${accounts.length} · ${t("dashboard.title")}` : t("dashboard.title");
}

async function readForever() {
  for (;;) {
    let locked = false;
    try {
      await read();
      setAway(false);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 || error.status === 403) {
        setAway(false);
        locked = true;
        lock(error);
      } else {
        setAway(true);
      }
    }
    document.documentElement.dataset.ready = "";
    await new Promise((resolve) => {
      wake = resolve;
      // Without a valid key there is nothing to read until another one is given.
      if (!locked) setTimeout(resolve, INTERVAL_MS);
    });
  }
}

async function loadProviders() {
  try {
    ({ providers } = (await json("playground/site.json")).data);
  } catch (error) {
    // Their plain names are shown.
    if (!(error instanceof ApiError)) throw error;
  }
}

const figures = new Figures();
const table = new Accounts(act);
setKey(key);
mountHeader();
find("#forget-button").addEventListener("click", () => {
  forget(["admin-key"]);
  useKey("");
});
// Messages of the gateway come in the language they are asked for.
languageChanged.on(() => {
  find("#locked").hidden = true;
  wake();
});
loadProviders().then(readForever);
