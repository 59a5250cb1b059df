/** What clients asked and what they were answered, as it happens, newest first. */

import { button, element, setText, throttled } from "./dom.js";
import { bytes, count, timeOfDay } from "./format.js";

const KEPT = 1000;
const STEP = 100;
const OWN = /[?&]from=Explorer\b/;
const SHOW_EVERY_MS = 120;

/** Whether it was this page, or another one of its kind, looking at the store. */
function isLook(entry) {
  return entry.verb === "GET" && OWN.test(entry.target);
}

function wentWrong(entry) {
  return entry.status === 0 || entry.status >= 400 || Boolean(entry.fault);
}

export class Journal {
  #entries = [];
  #shown = STEP;
  #fresh = [];
  #showSoon = throttled(() => this.#showFresh(), SHOW_EVERY_MS);

  constructor({ list, empty, more, total, filter, errors, own, onCopy }) {
    Object.assign(this, { list, empty, more, total, filter, errors, own, onCopy });
    for (const input of [filter, errors, own]) input.addEventListener("input", () => this.#redraw());
    more.addEventListener("click", () => {
      this.#shown += STEP;
      this.#redraw();
    });
  }

  /** Starts from nothing: what is remembered comes again. */
  begin() {
    this.#entries = [];
    this.#fresh = [];
    this.#redraw();
  }

  /** Entries come by the hundred when a stream begins: they are shown a few times a second. */
  add(entry) {
    this.#entries.unshift(entry);
    this.#fresh.push(entry);
    this.#showSoon();
  }

  #isMeant(entry) {
    if (!this.own.checked && isLook(entry)) return false;
    if (this.errors.checked && !wentWrong(entry)) return false;
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return true;
    const { operation, verb, target, status, code, why, fault, session, client } = entry;
    const text = [operation, verb, decoded(target), status, code, why, fault, session, client].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  }

  #showFresh() {
    this.#entries.length = Math.min(this.#entries.length, KEPT);
    const meant = this.#fresh.filter((entry) => this.#isMeant(entry)).slice(-this.#shown);
    this.#fresh = [];
    this.list.prepend(...meant.reverse().map((entry) => this.#row(entry)));
    while (this.list.children.length > this.#shown) this.list.lastElementChild.remove();
    this.#count();
  }

  #redraw() {
    const meant = this.#entries.filter((entry) => this.#isMeant(entry));
    this.list.replaceChildren(...meant.slice(0, this.#shown).map((entry) => this.#row(entry)));
    this.#count();
  }

  #count() {
    const meant = this.#entries.filter((entry) => this.#isMeant(entry)).length;
    const others = this.#entries.length - meant;
    setText(this.total, count(meant, "request"));
    this.more.hidden = meant <= this.#shown;
    this.empty.hidden = meant > 0;
    setText(
      this.empty,
      others && (this.filter.value || this.errors.checked)
        ? `None of the ${count(this.#entries.length, "request")} fits.`
        : "No request yet. Everything that clients ask of this store is listed here as it happens.",
    );
  }

  #row(entry) {
    const text = (className, content) => element("span", { className, textContent: content });
    const status = entry.status === 0 ? "no answer" : String(entry.status);
    const answer = element("span", { className: `status ${wentWrong(entry) ? "bad" : "ok"}`, textContent: status });
    const sizes = [
      entry.range && `bytes ${entry.range}`,
      entry.received && !entry.range && `${bytes(entry.received)} in`,
      entry.sent && `${bytes(entry.sent)} out`,
      `${entry.duration_ms < 10 ? entry.duration_ms.toFixed(1) : Math.round(entry.duration_ms)} ms`,
    ];
    const first = element(
      "div",
      { className: "request" },
      element("time", { textContent: timeOfDay(entry.moment), dateTime: entry.moment, title: entry.moment }),
      answer,
      text("verb", entry.verb),
      element("bdi", { className: "target", textContent: shortTarget(entry), title: entry.target }),
      text("facts", sizes.filter(Boolean).join(", ")),
      button("curl", (event) => this.onCopy(entry.curl, event.currentTarget), {
        className: "small",
        aria: { label: `Copy request ${entry.number} as curl` },
        title: "Copy as curl",
      }),
    );
    const row = element("li", {}, first);
    const reasons = [
      entry.operation && text("operation", entry.operation),
      entry.code && text("code", entry.code),
      entry.why && !entry.why.startsWith("a fault that was set") && text("why", entry.why),
      entry.fault && text("fault", `fault: ${entry.fault}`),
    ].filter(Boolean);
    if (reasons.length) row.append(element("div", { className: "reasons" }, ...reasons));
    return row;
  }
}

function decoded(target) {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}

/** The path and what is special about the query; what every request has says nothing. */
function shortTarget({ target }) {
  const [path, query = ""] = target.split("?");
  const kept = query.split("&").filter((each) => each && !/^(api-version|from|timeout)=/.test(each));
  return decoded(path) + (kept.length ? `?${kept.join("&")}` : "");
}
