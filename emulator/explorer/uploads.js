/** What is being uploaded: files and folders that were dropped or chosen together are one upload. */

import { MARK_FILE } from "./api.js";
import { Slots, Transfer } from "./transfer.js";

const AT_ONCE = 4;
const FILES_AT_ONCE = 4;
const PACKAGE = /\.sfpkg$/i;

let lastNumber = 0;

function isBelow(parts, folder) {
  return folder.every((name, depth) => parts[depth] === name);
}

/** Files and folders on their way, and how far they are. `state` is running, paused, failed, done or cancelled. */
class Upload {
  constructor({ files, folders, into, marks, session }, tools) {
    lastNumber += 1;
    this.number = lastNumber;
    this.tools = tools;
    this.into = into;
    this.marks = marks;
    this.folders = folders.map((each) => [...into, ...each]);
    this.state = "running";
    this.failures = [];
    this.transfers = files.map(
      ({ file, parts }) => new Transfer({ file, parts: [...into, ...parts], session }, tools),
    );
    const tops = new Set([...files, ...folders.map((parts) => ({ parts }))].map(({ parts }) => parts[0]));
    const [first, ...others] = tops;
    this.title = others.length ? `${first} and ${others.length} more` : (first ?? "nothing");
    this.verb = others.length ? "are" : "is";
    this.size = this.transfers.reduce((sum, each) => sum + each.file.size, 0);
  }

  get progress() {
    return this.transfers.reduce((sum, each) => sum + each.progress, 0);
  }

  get done() {
    return this.transfers.filter((each) => each.isDone).length;
  }

  get retries() {
    return this.transfers.reduce((sum, each) => sum + each.retries, 0);
  }

  /** Begins, or goes on; what is still stopping is waited for, so that no file is sent twice at a time. */
  run() {
    const before = this.running;
    this.stop = new AbortController();
    this.state = "running";
    this.failures = [];
    this.tools.onChange();
    this.running = Promise.resolve(before).then(() => this.#run(this.stop));
  }

  async #run(stop) {
    const waiting = this.transfers.filter((each) => !each.isDone);
    const worker = async () => {
      for (let next = waiting.shift(); next && !stop.signal.aborted; next = waiting.shift()) {
        await this.#attempt(next.path, () => next.run(stop.signal));
      }
    };
    await Promise.all(Array.from({ length: FILES_AT_ONCE }, worker));
    if (!stop.signal.aborted) await this.#mark();
    if (!stop.signal.aborted) this.state = this.failures.length ? "failed" : "done";
    this.tools.onChange();
    this.tools.onEnd(this);
  }

  pause() {
    this.state = "paused";
    this.stop.abort();
  }

  /** Stops, and leaves no session behind. */
  async cancel() {
    this.state = "cancelled";
    this.stop.abort();
    this.tools.onChange();
    const begun = this.transfers.filter((each) => each.session && !each.isDone);
    await Promise.allSettled(begun.map((each) => this.tools.service.deleteSession(each.session)));
  }

  /** A folder's mark says that all of it is there, so it comes after all of it, and not where something failed. */
  async #mark() {
    if (!this.marks) return;
    const sent = new Set(this.transfers.map((each) => each.path));
    const whole = this.folders.filter(
      (folder) => !this.transfers.some((each) => !each.isDone && isBelow(each.parts, folder)),
    );
    for (const folder of whole.toSorted((one, other) => other.length - one.length)) {
      const parts = [...folder, MARK_FILE];
      const path = parts.join("/");
      if (sent.has(path)) continue;
      const mark = new Transfer({ file: new File([], MARK_FILE), parts }, { ...this.tools, onChange: () => {} });
      await this.#attempt(path, () => mark.run(this.stop.signal));
    }
  }

  async #attempt(path, work) {
    try {
      await work();
    } catch (error) {
      if (error.name !== "AbortError") this.failures.push({ path, error });
    }
  }
}

/** A package's file, whose files the emulator puts into the store itself. */
class Unpacking {
  constructor({ file, into, marks }, tools) {
    lastNumber += 1;
    this.number = lastNumber;
    this.tools = tools;
    this.file = file;
    this.into = [...into, file.name.replace(PACKAGE, "")];
    this.marks = marks;
    this.title = file.name;
    this.verb = "is";
    this.size = file.size;
    this.state = "running";
    this.transfers = [];
    this.failures = [];
    this.retries = 0;
    this.progress = 0;
  }

  get done() {
    return this.state === "done" ? 1 : 0;
  }

  async run() {
    this.stop = new AbortController();
    this.state = "running";
    this.failures = [];
    this.tools.onChange();
    try {
      await this.tools.control.seed(this.file, this.into.join("/"), {
        marks: this.marks,
        signal: this.stop.signal,
        onProgress: (sent) => {
          this.progress = sent;
          this.tools.onChange();
        },
      });
      this.state = "done";
    } catch (error) {
      if (error.name !== "AbortError") {
        this.failures.push({ path: this.file.name, error });
        this.state = "failed";
      }
    }
    this.tools.onChange();
    this.tools.onEnd(this);
  }

  async cancel() {
    this.state = "cancelled";
    this.stop.abort();
    this.tools.onChange();
  }
}

export class Uploads {
  constructor({ service, control, memory, onChange, onEnd }) {
    this.all = [];
    this.tools = { service, control, memory, onChange, onEnd, slots: new Slots(AT_ONCE) };
  }

  /** Begins with what was dropped or chosen; a `session` is gone on with. */
  start({ files, folders = [] }, { into, marks = true, unpacks = false, session = "" }) {
    const packages = unpacks ? files.filter(({ file, parts }) => parts.length === 1 && PACKAGE.test(file.name)) : [];
    const others = files.filter((each) => !packages.includes(each));
    const begun = packages.map(({ file }) => new Unpacking({ file, into, marks }, this.tools));
    if (others.length || folders.length) {
      begun.push(new Upload({ files: others, folders, into, marks, session }, this.tools));
    }
    this.all.unshift(...begun);
    begun.forEach((each) => each.run());
  }

  remove(upload) {
    this.all = this.all.filter((each) => each !== upload);
    this.tools.onChange();
  }

  /** Whether this page is sending chunks of a session right now. */
  isSending(session) {
    return this.all.some(
      (each) => each.state === "running" && each.transfers.some((one) => one.session === session && !one.isDone),
    );
  }

  get isRunning() {
    return this.all.some((each) => each.state === "running");
  }
}
