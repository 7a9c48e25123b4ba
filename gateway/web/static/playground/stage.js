// The box at the left of a task: before the end its first frame and the elapsed time, after it the video.

import { ApiError, call } from "../shared/api.js";
import { h, icon } from "../shared/dom.js";
import { clock } from "../shared/format.js";
import { t } from "../shared/i18n.js";
import { ended } from "./store.js";

/** The video as a file, through the gateway, which takes the key. Raises ApiError. */
export async function videoFile(record) {
  const response = await call(`v1/videos/${encodeURIComponent(record.id)}/content`, { timeout: 120_000 });
  try {
    return await response.blob();
  } catch {
    throw new ApiError(0, { message: t("error.away") });
  }
}

export function hasExpired(record) {
  const expires = record.result?.expires_at;
  return Boolean(expires && !record.archived && expires * 1000 < Date.now());
}

export class Stage {
  element = h("div.stage");
  #signature = "";
  #elapsed = null;
  #record = null;
  #objectUrl = "";

  /** Build the box anew where what it shows has changed. */
  update(record) {
    this.#record = record;
    const kind = this.#kind(record);
    const signature = `${kind} ${record.result?.url ?? ""} ${document.documentElement.lang}`;
    if (signature === this.#signature) return this.tick();
    // A link that was renewed does not interrupt who is watching.
    if (kind === "video" && this.#signature.startsWith("video") && this.element.querySelector("video[controls]"))
      return;
    this.#signature = signature;
    this.#elapsed = null;
    this.element.replaceChildren(...this[`_${kind}`](record));
    this.tick();
  }

  tick() {
    if (this.#elapsed && this.#record) {
      this.#elapsed.textContent = clock(Date.now() / 1000 - this.#record.created);
    }
  }

  play() {
    const button = this.element.querySelector(".stage-play");
    if (button) button.click();
    else
      this.element
        .querySelector("video[controls]")
        ?.play()
        .catch(() => {});
  }

  #kind(record) {
    if (record.state === "completed") return hasExpired(record) ? "expired" : "video";
    return ended(record) ? "failed" : "running";
  }

  _running(record) {
    this.#elapsed = h("span.elapsed", { role: "timer", "aria-label": t("task.elapsed") });
    const frame = h("div.frame", {}, this.#elapsed);
    const [width, height] = (record.ratio || "16:9").split(":").map(Number);
    if (width && height) frame.style.setProperty("--shape", `${width} / ${height}`);
    if (width && height && width / height > 1.9) frame.style.setProperty("--h", "60%");
    if (!record.thumbnail) return [frame];
    return [h("img.first-frame", { src: record.thumbnail, alt: "" }), this.#elapsed];
  }

  _failed() {
    return [h("span.stage-note", {}, icon("film"), t("task.no_video"))];
  }

  _expired() {
    return [h("span.stage-note", {}, icon("clock"), t("task.expired"))];
  }

  _video(record) {
    const { url, cover_url: cover } = record.result;
    // Without a cover the video shows its own first picture.
    const poster = cover
      ? h("img", { src: cover, alt: "", loading: "lazy", onerror: () => poster.replaceWith(this.#quiet(url)) })
      : this.#quiet(url);
    const button = h(
      "button.stage-play",
      { type: "button", "aria-label": t("task.play_named", { prompt: record.prompt || record.id }) },
      h("span", {}, icon("play")),
    );
    button.addEventListener("click", () => this.#start(url, cover, record));
    return [poster, button];
  }

  #quiet(url) {
    return h("video", {
      src: `${url}#t=0.1`,
      preload: "metadata",
      muted: true,
      playsinline: true,
      tabindex: "-1",
      "aria-hidden": "true",
    });
  }

  #start(url, cover, record) {
    const video = h("video", {
      controls: true,
      loop: true,
      playsinline: true,
      poster: cover ?? null,
      "aria-label": record.prompt || record.id,
    });
    // The attribute alone does not mute a video made by a script.
    video.muted = true;
    video.src = this.#objectUrl || url;
    video.addEventListener("error", () => this.#throughGateway(video, record), { once: true });
    this.element.replaceChildren(video);
    video.focus();
    video.play().catch(() => {});
  }

  /** The browser cannot load the link, such as http from a page of https: the gateway has the file too. */
  async #throughGateway(video, record) {
    try {
      this.#objectUrl = URL.createObjectURL(await videoFile(record));
      video.addEventListener("error", () => this.#broken(t("task.unplayable")), { once: true });
      video.src = this.#objectUrl;
      await video.play().catch(() => {});
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#broken(error.message);
    }
  }

  #broken(text) {
    this.element.replaceChildren(h("span.stage-note", { role: "alert" }, icon("alert"), text));
  }
}
