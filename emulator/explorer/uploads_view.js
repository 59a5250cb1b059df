/** The uploads of this page, as cards with progress. */

import { button, element, keyed, setText } from "./dom.js";
import { bytes, count, words } from "./format.js";
import { describeRanges, drawRanges, rangeBar } from "./ranges.js";

const FAILURES_SHOWN = 5;
const FILES_SHOWN = 4;
const STATES = { paused: "paused", failed: "not complete", done: "stored", cancelled: "cancelled" };

export class UploadsView {
  constructor({ part, list, uploads }) {
    this.part = part;
    this.list = list;
    this.uploads = uploads;
  }

  draw() {
    const all = this.uploads.all;
    this.part.hidden = !all.length;
    keyed(
      this.list,
      all,
      (each) => each.number,
      (each) => this.#make(each),
      (shown, each) => this.#update(shown, each),
    );
  }

  #make(upload) {
    const into = upload.into.length ? ` into ${upload.into.join("/")}` : "";
    const part = (name) => ({ data: { part: name } });
    return element(
      "li",
      {},
      element(
        "div",
        { className: "line" },
        element("bdi", { className: "path", textContent: upload.title + into, title: upload.title + into }),
        element("span", { className: "left", ...part("state") }),
      ),
      element("progress", { max: Math.max(1, upload.size), value: 0, aria: { label: `Upload of ${upload.title}` } }),
      element("p", { className: "quiet", ...part("facts") }),
      element("ul", { className: "files", ...part("files") }),
      element("ul", { className: "failures", ...part("failures") }),
      element(
        "div",
        { className: "buttons" },
        button("Pause", () => upload.pause(), part("pause")),
        button("Go on", () => upload.run(), part("run")),
        button("Cancel", () => upload.cancel(), { className: "danger", ...part("cancel") }),
        button("Remove from list", () => this.uploads.remove(upload), part("remove")),
      ),
    );
  }

  #update(shown, upload) {
    const part = (name) => shown.querySelector(`[data-part="${name}"]`);
    const { state } = upload;
    const isRunning = state === "running";
    shown.querySelector("progress").value = upload.size ? upload.progress : state === "done" ? 1 : 0;
    const percent = upload.size ? Math.floor((100 * upload.progress) / upload.size) : 0;
    setText(part("state"), STATES[state] ?? `${percent}%`);
    const resumed = upload.transfers.some((each) => each.wasResumed);
    const facts = [
      upload.transfers.length > 1 ? `${upload.done} of ${count(upload.transfers.length, "file")}` : "",
      `${bytes(upload.progress)} of ${bytes(upload.size)}`,
      upload.retries ? count(upload.retries, "retry", "retries") : "",
      resumed ? "went on where it had stopped" : "",
      upload.transfers.length || !isRunning ? "" : "unpacking",
    ];
    setText(part("facts"), facts.filter(Boolean).join(", "));
    const chunked = upload.transfers.filter((each) => each.isChunked && each.session && !each.isDone);
    keyed(part("files"), isRunning || state === "paused" ? chunked.slice(0, FILES_SHOWN) : [], (each) => each.path, makeFile, drawFile);
    const failures = upload.failures.map(({ path, error }) => `${path}: ${words(error)}`);
    const rest = failures.length - FAILURES_SHOWN;
    const told = rest > 0 ? [...failures.slice(0, FAILURES_SHOWN), `and ${rest} more`] : failures;
    keyed(part("failures"), told, (each) => each, (textContent) => element("li", { textContent }));
    part("pause").hidden = !isRunning || !upload.pause;
    part("run").hidden = !(state === "paused" || state === "failed");
    setText(part("run"), state === "failed" ? "Try again" : "Go on");
    part("cancel").hidden = !(isRunning || state === "paused" || state === "failed");
    part("remove").hidden = !(state === "done" || state === "cancelled");
  }
}

function makeFile(transfer) {
  const name = element("bdi", { className: "path", textContent: transfer.path, title: transfer.path });
  return element("li", {}, name, rangeBar(), element("p", { className: "quiet" }));
}

function drawFile(shown, transfer) {
  const ranges = transfer.ranges;
  drawRanges(shown.querySelector(".bar"), ranges);
  setText(shown.querySelector("p"), describeRanges(ranges));
}
