// The operator's page: reads the metrics and the accounts of this gateway every two seconds. Nothing else is asked for.

import { ApiError, json, setKey, text } from "../shared/api.js";
import { find, h, icon, setText } from "../shared/dom.js";
import { mountHeader } from "../shared/header.js";
import { addTexts, languageChanged, t, translate } from "../shared/i18n.js";
import { forget, load, save } from "../shared/storage.js";
import { Accounts } from "./accounts.js";
import { Figures } from "./figures.js";
import { History } from "./history.js";
import { showLock } from "./lock.js";
import { Plots } from "./plots.js";
import en from "./texts.en.js";
import zh from "./texts.zh.js";

addTexts("en", en);
addTexts("zh", zh);
translate(document);

const INTERVAL_MS = 2000;
const READ_MS = 8000;
const TOAST_MS = { info: 6000, danger: 12_000 };

let key = load("admin-key", "");
let history = new History();
let accounts = [];
let providers = {};
let away = false;
let toastTimer = 0;
let wake = () => {};

const providerName = (name) => providers[name] ?? name;

function banner(tone, said) {
  return h(`div.banner.${tone}`, {}, icon(tone === "info" ? "check" : "alert"), h("p", {}, said));
}

/** Tell the outcome of an action for some seconds. */
function toast(tone, said) {
  clearTimeout(toastTimer);
  find("#toast").replaceChildren(banner(tone, said));
  setText(find("#live"), said);
  toastTimer = setTimeout(() => find("#toast").replaceChildren(), TOAST_MS[tone]);
}

/** Tell whether the gateway answers. What it told last stays on the page. */
function showAway(now) {
  if (now !== away) setText(find("#live"), t(now ? "dashboard.away" : "dashboard.back"));
  away = now;
  document.body.classList.toggle("away", away);
  const said = away ? t("dashboard.away") : "";
  if (find("#notices").textContent !== said) find("#notices").replaceChildren(said ? banner("warning", said) : "");
  const link = find("#link");
  const word = t(away ? "dashboard.stale" : "dashboard.live");
  if (link.textContent === word) return;
  link.className = `chip ${away ? "warning" : "success"}`;
  link.replaceChildren(icon(away ? "alert" : "live"), word);
}

/** Show the figures, or in their place the card that asks for the key. */
function showContent(shown) {
  find("#locked").hidden = shown;
  if (shown) find("#locked").replaceChildren();
  for (const id of ["#content", "#link"]) find(id).hidden = !shown;
  find("#forget-button").hidden = !shown || !key;
}

function useKey(value) {
  key = value;
  setKey(key);
  save("admin-key", key || null);
  history = new History();
  wake();
}

async function act(name, action) {
  try {
    const { data } = await json(`v1/accounts/${encodeURIComponent(name)}/${action}`, { method: "POST" });
    accounts = accounts.map((account) => (account.name === name ? data.account : account));
    table.show(accounts, providerName);
    toast(data.live === false ? "danger" : "info", outcome(name, action, data));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast("danger", `${name}: ${error.message}`);
  }
}

function outcome(name, action, data) {
  if (action === "check") return t(data.live ? "done.alive" : "done.refused", { name });
  if (action === "points") return t("done.points", { name, count: data.credits.total });
  if (action === "receive") return t("done.received", { name, count: data.received });
  return t(action === "pause" ? "done.paused" : "done.resumed", { name });
}

async function read() {
  const options = { timeout: READ_MS };
  const [metrics, { data }] = await Promise.all([text("metrics", options), json("v1/accounts", options)]);
  accounts = data.data;
  history.add(metrics, performance.now() / 1000, accounts);
  showContent(true);
  showAway(false);
  figures.show(history);
  plots.show(history, providerName);
  table.show(accounts, providerName);
  const ready = accounts.filter((account) => account.state === "ready").length;
  document.title = accounts.length ? `${ready}/${accounts.length} · ${t("dashboard.title")}` : t("dashboard.title");
}

async function readForever() {
  for (;;) {
    let locked = false;
    try {
      await read();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      locked = error.status === 401 || error.status === 403;
      showAway(!locked);
      if (locked) {
        document.title = t("dashboard.title");
        showContent(false);
        showLock(key ? error.message : "", useKey);
      } else {
        history.interrupt();
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
const plots = new Plots();
const table = new Accounts(act);
setKey(key);
mountHeader();
find("#forget-button").append(icon("key"));
find("#forget-button").addEventListener("click", () => {
  forget(["admin-key"]);
  useKey("");
});
// Messages of the gateway come in the language they are asked for.
languageChanged.on(() => wake());
loadProviders().then(readForever);
