// Being live: figures follow the server's pulse, and parts of a page are fetched again when something has happened.
//
// Nothing is asked for while the page is hidden or the viewer has paused it. When the pulse stays away, the page says how
// old what it shows is. Only a change of that state is spoken by a screen reader, never a figure.

import { localTimes } from "./times.js";

/** Parts of a page are fetched again at most this often. */
const FRESH_MILLISECONDS = 5000;
/** The pulse comes every 2 seconds; after this long it is missing. */
const MISSING_SECONDS = 7;

/** @typedef {Record<string, number>} Beat */

class Live {
  /**
   * @param {string} address of the pulse
   * @param {HTMLElement} state where it is said whether the page is live
   * @param {HTMLElement} button that pauses and goes on
   */
  constructor(address, state, button) {
    this.address = address;
    this.state = state;
    this.button = button;
    this.paused = false;
    this.beatAt = Date.now();
    this.freshAt = Date.now();
    this.fetching = false;
    this.last = "";
    /** @type {EventSource | null} */
    this.source = null;
  }

  /** Listen, unless nobody looks. */
  begin() {
    if (this.source !== null || this.paused || document.hidden) return;
    this.source = new EventSource(this.address);
    this.source.addEventListener("message", (event) => this.take(JSON.parse(event.data)));
  }

  /** Stop listening. */
  end() {
    this.source?.close();
    this.source = null;
  }

  /** @param {Beat} beat */
  take(beat) {
    this.beatAt = Date.now();
    for (const place of document.querySelectorAll("[data-figure]")) {
      if (!(place instanceof HTMLElement)) continue;
      const figure = beat[place.dataset.figure ?? ""];
      if (figure === undefined) continue;
      place.textContent = figure.toLocaleString("en-US");
      if (place.classList.contains("number")) place.hidden = figure === 0;
    }
    const { at: _, ...figures } = beat;
    const now = JSON.stringify(figures);
    const changed = now !== this.last;
    this.last = now;
    this.say();
    if (changed || Date.now() - this.freshAt > 4 * FRESH_MILLISECONDS) void this.refresh();
  }

  /** Fetch the page again and put its parts that change in place of those that are there. */
  async refresh() {
    const parts = Array.from(document.querySelectorAll("[data-fresh]")).filter((part) => !part.matches(":focus-within"));
    if (this.fetching || parts.length === 0 || Date.now() - this.freshAt < FRESH_MILLISECONDS) return;
    this.fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts) {
        const name = part.getAttribute("data-fresh") ?? "";
        const successor = fresh.querySelector(`[data-fresh="${CSS.escape(name)}"]`);
        if (successor === null || part.matches(":focus-within")) continue;
        localTimes(successor);
        part.replaceWith(document.adoptNode(successor));
      }
      this.freshAt = Date.now();
    } catch {
      // The server is away: `say` tells how old the page is.
    } finally {
      this.fetching = false;
    }
  }

  /** Say whether what is shown is of now. */
  say() {
    const seconds = Math.round((Date.now() - this.beatAt) / 1000);
    const missing = seconds > MISSING_SECONDS && !document.hidden;
    const words = this.paused ? "Paused." : missing ? "The server does not answer." : "Live.";
    if (this.state.textContent !== words) this.state.textContent = words;
    const age = document.getElementById("live-age");
    if (age !== null) age.textContent = missing || this.paused ? `Data is ${seconds} s old.` : "";
  }

  /** Pause, or go on. */
  toggle() {
    this.paused = !this.paused;
    this.button.textContent = this.paused ? "Go on" : "Pause";
    if (this.paused) this.end();
    else this.begin();
    this.say();
  }

  /** The viewer looks elsewhere, or comes back. */
  look() {
    if (document.hidden) this.end();
    else this.begin();
  }
}

/** Make the page live. */
export function live() {
  const [box, state, button] = ["live", "live-state", "live-switch"].map((id) => document.getElementById(id));
  const address = document.body.dataset.live;
  if (!box || !state || !button || !address) return;
  const page = new Live(address, state, button);
  box.hidden = false;
  button.addEventListener("click", () => page.toggle());
  document.addEventListener("visibilitychange", () => page.look());
  setInterval(() => page.say(), 1000);
  page.begin();
  page.say();
}
