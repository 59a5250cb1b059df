/** The store's clock: read, frozen, moved. */

import { busy, setText } from "./dom.js";
import { moment } from "./format.js";

const HOW = {
  real: () => "as the machine’s",
  frozen: () => "stands still",
  offset: ({ offset_seconds: seconds }) => `${describeOffset(seconds)} the machine’s`,
  scaled: ({ rate }) => `${rate} times as fast as the machine’s`,
};

function describeOffset(seconds) {
  const size = Math.abs(seconds);
  const [number, unit] = size < 90 ? [size, "s"] : size < 5400 ? [size / 60, "min"] : [size / 3600, "h"];
  return `${Number(number.toFixed(1))} ${unit} ${seconds < 0 ? "behind" : "ahead of"}`;
}

export class ClockPanel {
  #isFrozen = false;

  constructor({ control, time, notices, parts, onMoved }) {
    Object.assign(this, { control, time, notices, parts, onMoved });
    const { freeze, reset, steps, form, expiry } = parts;
    freeze.addEventListener("click", () => this.#change(freeze, () => control.put("/clock", { freeze: !this.#isFrozen })));
    reset.addEventListener("click", () => this.#change(reset, () => control.delete("/clock")));
    for (const step of steps) {
      step.addEventListener("click", () => this.#advance(step, step.dataset.advance));
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#advance(event.submitter ?? form, form.elements.by.value.trim());
    });
    expiry.addEventListener("change", () => this.#change(expiry, () => control.put("/clock", { expiry: expiry.value })));
  }

  async refresh() {
    this.#show(await this.control.get("/clock"));
  }

  tick() {
    const now = `${moment(this.time.now())} UTC`;
    setText(this.parts.now, now);
    setText(this.parts.header, now);
  }

  async #advance(control, by) {
    const answer = await this.#change(control, () => this.control.post("/clock/advance", { by }));
    if (answer?.expired.length) this.notices.say(`${answer.expired.length} upload session(s) expired.`);
  }

  async #change(control, work) {
    const view = await busy(control, () => this.notices.attempt("The clock was not changed", work));
    if (view) {
      this.#show(view);
      this.onMoved();
    }
    return view;
  }

  #show(view) {
    this.time.take(view);
    this.#isFrozen = view.mode === "frozen";
    setText(this.parts.how, HOW[view.mode](view));
    setText(this.parts.freeze, this.#isFrozen ? "Let it run" : "Freeze");
    setText(this.parts.mode, view.mode);
    this.parts.mode.hidden = view.mode === "real";
    if (document.activeElement !== this.parts.expiry) this.parts.expiry.value = view.expiry;
    this.tick();
  }
}
