// Pictures, clips and sounds of the request: dropped, pasted, chosen or given by address; ordered; each with a role.

import { h, icon } from "../shared/dom.js";
import { bytes } from "../shared/format.js";
import { t } from "../shared/i18n.js";
import { assignRoles, choicesFor, kindsOf, needsInput } from "./capabilities.js";
import { roleWord } from "./picker.js";

const KIND_ICONS = { image: "image", video: "film", audio: "sound" };
const THUMBNAIL_WIDTH = 320;

export class MediaPicker {
  #model = null;
  #items;
  #onChange;
  #dragged = null;
  #byAddress = false;

  /** `items` is the list of the draft, which is changed in place. */
  constructor(items, onChange) {
    this.#items = items;
    this.#onChange = onChange;
    this.element = h("fieldset.field", { "data-field": "inputs", id: "inputs" });
  }

  show(model) {
    this.#model = model;
    assignRoles(model, this.#items);
    const kinds = kindsOf(model);
    this.element.hidden = !kinds.length;
    if (!kinds.length) return;
    this.element.replaceChildren(
      h(
        "legend.field-head",
        {},
        h("span", {}, t(kinds.length > 1 ? "media.title.many" : "media.title")),
        h("span.meta", {}, needsInput(model) ? t("media.needed") : t("media.optional")),
      ),
      this.#zone(kinds),
    );
  }

  /** Add files or an address; what this model cannot take is shown as unused. */
  add(files) {
    for (const file of files) {
      const kind = file.type.split("/")[0];
      if (!(kind in KIND_ICONS)) continue;
      this.#items.push({
        kind,
        wanted: null,
        role: null,
        file,
        name: file.name || `${t("media.pasted")}.${file.type.split("/")[1]}`,
        preview: URL.createObjectURL(file),
      });
    }
    this.#changed();
  }

  #zone(kinds) {
    const chooser = h("input.sr", {
      type: "file",
      multiple: true,
      tabindex: "-1",
      "aria-hidden": "true",
      id: "media-files",
      accept: kinds.map((kind) => `${kind}/*`).join(","),
      onchange: () => {
        this.add(chooser.files);
        chooser.value = "";
      },
    });
    const choose = h(
      "button.button.small",
      { type: "button", onclick: () => chooser.click() },
      icon("upload"),
      t("media.choose"),
    );
    const files = this.#model.takes_files;
    const address = this.#address(kinds);
    address.hidden = files && !this.#byAddress;
    const link = h(
      "button.button.small",
      { type: "button", "aria-expanded": String(!address.hidden) },
      icon("link"),
      t("media.link"),
    );
    link.addEventListener("click", () => {
      this.#byAddress = address.hidden;
      address.hidden = !this.#byAddress;
      link.setAttribute("aria-expanded", String(this.#byAddress));
      if (this.#byAddress) address.querySelector("input").focus();
    });
    const zone = h(
      "div.drop",
      {},
      this.#items.length
        ? h(
            "ul.thumbs",
            {},
            this.#items.map((item, index) => this.#thumb(item, index)),
          )
        : null,
      files
        ? h("div.drop-hint", {}, icon("image"), h("p.meta", {}, t("media.drop")), choose, link, chooser)
        : h("p.meta", {}, t("media.addresses_only")),
      address,
    );
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.classList.add("over-drop");
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("over-drop"));
    zone.addEventListener("drop", () => zone.classList.remove("over-drop"));
    return zone;
  }

  #address(kinds) {
    const input = h("input.input", {
      type: "url",
      id: "media-address",
      placeholder: "https://…",
      "aria-label": t("media.address"),
      inputmode: "url",
    });
    const add = () => {
      const address = input.value.trim();
      if (!/^https?:\/\/\S+$/.test(address)) return input.setAttribute("aria-invalid", "true");
      const path = address.replace(/[?#].*$/, "").toLowerCase();
      const guess = /\.(mp4|mov|webm|m4v)$/.test(path)
        ? "video"
        : /\.(mp3|wav|m4a|aac|ogg|flac)$/.test(path)
          ? "audio"
          : "image";
      const kind = kinds.includes(guess) ? guess : kinds[0];
      this.#items.push({
        kind,
        wanted: null,
        role: null,
        address,
        name: path.split("/").pop() || address,
        preview: "",
      });
      this.#changed();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      add();
    });
    return h("div.drop-address", {}, input, h("button.button.small", { type: "button", onclick: add }, t("media.add")));
  }

  #thumb(item, index) {
    const role = h("select.input", { "aria-label": t("media.role", { name: item.name }) });
    const choices = choicesFor(this.#model, this.#items, item);
    role.append(...choices.map((one) => h("option", { value: one, selected: one === item.role }, roleWord(one))));
    role.addEventListener("change", () => this.#setRole(item, role.value));
    const tool = (name, key, call) =>
      h(
        "button.button.small",
        {
          type: "button",
          "aria-label": t(key, { name: item.name }),
          title: t(key, { name: item.name }),
          onclick: call,
        },
        icon(name),
      );
    const element = h(
      `li.thumb${item.role ? "" : ".unused"}`,
      { draggable: "true" },
      h("div.thumb-picture", {}, this.#preview(item)),
      h(
        "div.thumb-tools",
        {},
        index > 0 ? tool("left", "media.earlier", () => this.#move(index, index - 1)) : null,
        index < this.#items.length - 1 ? tool("right", "media.later", () => this.#move(index, index + 1)) : null,
        tool("close", "media.remove", () => this.#remove(item)),
      ),
      item.role ? role : h("span.chip.warning", {}, icon("alert"), t("media.unused")),
      h(
        "span.meta.thumb-name",
        { title: item.name },
        item.file ? `${bytes(item.file.size)} · ${item.name}` : item.name,
      ),
    );
    element.addEventListener("dragstart", (event) => {
      this.#dragged = index;
      event.dataTransfer.effectAllowed = "move";
      element.classList.add("dragged");
    });
    element.addEventListener("dragend", () => {
      this.#dragged = null;
      element.classList.remove("dragged");
    });
    element.addEventListener("drop", (event) => {
      if (this.#dragged === null) return;
      event.preventDefault();
      event.stopPropagation();
      this.#move(this.#dragged, index);
    });
    return element;
  }

  #preview(item) {
    const source = item.preview || item.address;
    if (item.kind === "image" && source) return h("img", { src: source, alt: "" });
    if (item.kind === "video" && source)
      return h("video", {
        src: source,
        muted: true,
        preload: "metadata",
        playsinline: true,
        tabindex: "-1",
        "aria-hidden": "true",
      });
    return icon(KIND_ICONS[item.kind]);
  }

  /** Another input with this role changes places with it, where it has to. */
  #setRole(item, role) {
    const former = item.role;
    item.wanted = role;
    const holders = this.#items.filter((one) => one !== item && one.role === role);
    const limit = this.#model.input_counts[role] ?? 1;
    if (holders.length >= limit) holders[0].wanted = former;
    // Those with a wish come first, so that it is granted.
    const order = [item, ...this.#items.filter((one) => one !== item)];
    for (const one of order) one.role = null;
    assignRoles(this.#model, order);
    for (const one of this.#items) one.wanted ??= one.role;
    this.#onChange();
  }

  #move(from, to) {
    const [item] = this.#items.splice(from, 1);
    this.#items.splice(to, 0, item);
    // Order decides the roles of those that nobody gave one.
    this.#changed();
    this.element.querySelectorAll(".thumb")[to]?.querySelector(".thumb-tools button")?.focus();
  }

  #remove(item) {
    if (item.preview) URL.revokeObjectURL(item.preview);
    this.#items.splice(this.#items.indexOf(item), 1);
    this.#changed();
    this.element.querySelector("#media-files + *, .drop-hint button, #media-address")?.focus();
  }

  #changed() {
    this.#onChange();
  }
}

/** A small JPEG of the first frame as a data: URL, for the task's card; "" without one. */
export async function thumbnailOf(items) {
  const first = items.find((item) => item.role && item.kind === "image" && item.file);
  if (!first) return "";
  try {
    const bitmap = await createImageBitmap(first.file);
    const canvas = document.createElement("canvas");
    canvas.width = Math.min(THUMBNAIL_WIDTH, bitmap.width);
    canvas.height = Math.round((canvas.width * bitmap.height) / bitmap.width);
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.7);
  } catch {
    return "";
  }
}
