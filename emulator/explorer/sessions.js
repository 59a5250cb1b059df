/** The open upload sessions of the store: which bytes each has, and how long it has left. */

import { button, element, keyed, setText } from "./dom.js";
import { duration } from "./format.js";
import { describeRanges, drawRanges, rangeBar } from "./ranges.js";

const LAST_MINUTES_MS = 5 * 60_000;

function pairs(ranges) {
  return ranges.map(({ start, end }) => [start, end]);
}

export class Sessions {
  #sessions = [];
  #flying = new Map();
  #expired = new Set();

  constructor({ list, empty, total, control, time, memory, uploads, onDelete, onResume, onExpire }) {
    Object.assign(this, { list, empty, total, control, time, memory, uploads, onDelete, onResume, onExpire });
  }

  get isWatching() {
    return this.#sessions.some((each) => !each.is_committed);
  }

  async refresh() {
    const [sessions, running] = await Promise.all([this.control.get("/sessions"), this.control.get("/journal/running")]);
    this.#flying = new Map();
    for (const { session, range, operation } of running) {
      if (operation !== "UploadFileChunk" || !range) continue;
      const [start, end] = range.split("/")[0].split("-").map(Number);
      this.#flying.set(session, [...(this.#flying.get(session) ?? []), [start, end]]);
    }
    this.#sessions = sessions.sort((one, other) => Number(one.is_committed) - Number(other.is_committed));
    this.draw();
  }

  draw() {
    setText(this.total, this.#sessions.length ? String(this.#sessions.length) : "");
    this.empty.hidden = this.#sessions.length > 0;
    keyed(
      this.list,
      this.#sessions,
      (each) => each.session,
      (each) => this.#make(each),
      (shown, each) => this.#update(shown, each),
    );
  }

  /** What changes by the second; the store's clock may stand still, or run. */
  tick() {
    for (const session of this.#sessions) {
      const shown = [...this.list.children].find((each) => each.dataset.key === session.session);
      if (shown) this.#countDown(shown, session);
      const isOver = this.time.now() >= Date.parse(session.expires);
      if (isOver && !this.#expired.has(session.session)) {
        this.#expired.add(session.session);
        this.onExpire();
      } else if (!isOver) {
        this.#expired.delete(session.session);
      }
    }
  }

  #make(session) {
    const name = element("bdi", { className: "path", textContent: session.path, title: session.path });
    const left = element("span", { className: "left", data: { part: "left" } });
    const facts = element("p", { className: "quiet", data: { part: "facts" } });
    const hint = element("p", { className: "hint", data: { part: "hint" } });
    const resume = button("Go on with a file…", () => this.onResume(session), { data: { part: "resume" } });
    const remove = button("Delete session…", () => this.onDelete(session), {
      className: "danger",
      aria: { label: `Delete the session of ${session.path}` },
    });
    return element(
      "li",
      {},
      element("div", { className: "line" }, name, left),
      rangeBar(),
      facts,
      element("p", { className: "id quiet", textContent: session.session }),
      hint,
      element("div", { className: "buttons" }, resume, remove),
    );
  }

  #update(shown, session) {
    const received = pairs(session.received);
    const missing = session.is_committed ? [] : pairs(session.expected);
    const ranges = { size: session.size, received, missing, inFlight: this.#flying.get(session.session) ?? [] };
    drawRanges(shown.querySelector(".bar"), ranges);
    const part = (name) => shown.querySelector(`[data-part="${name}"]`);
    setText(part("facts"), (session.is_committed ? "Committed: " : "") + describeRanges(ranges));
    const isOpen = !session.is_committed && !this.uploads.isSending(session.session);
    const isOurs = isOpen && this.memory.knows(session.session);
    setText(part("hint"), isOurs ? "Begun on this page: drop the same file at the same place, and it goes on." : "");
    part("hint").hidden = !isOurs;
    part("resume").hidden = !isOpen;
    shown.classList.toggle("committed", session.is_committed);
    this.#countDown(shown, session);
  }

  #countDown(shown, session) {
    const left = Date.parse(session.expires) - this.time.now();
    const target = shown.querySelector('[data-part="left"]');
    setText(target, left > 0 ? `expires in ${duration(left)}` : "time is up");
    target.classList.toggle("soon", left < LAST_MINUTES_MS);
  }
}
