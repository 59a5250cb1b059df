/** One file on its way into the store: whole if it is small, else in the chunks of an upload session. */

import { RequestError } from "./api.js";
import { UploadMemory } from "./memory.js";

export const CHUNK = 4 * 1024 * 1024;
const ATTEMPTS = 5;
const ROUNDS = 6;
const FIRST_PAUSE_MS = 250;

/** So many requests at once, in the order in which they were asked for; browsers open six connections. */
export class Slots {
  #free;
  #waiting = [];

  constructor(number) {
    this.#free = number;
  }

  async use(work) {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

function stopIfAborted(signal) {
  if (signal.aborted) throw new DOMException("stopped", "AbortError");
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}

async function requireReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new RequestError(0, "changed", "The file was changed or deleted since it was chosen.");
  }
}

/** `getRandomValues` instead of `randomUUID`, which exists on HTTPS and on this machine only. */
function newSession() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  const hex = [...random].map((each) => each.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function inChunks(missing) {
  return missing.flatMap(([start, end]) => {
    const chunks = [];
    for (let at = start; at <= end; at += CHUNK) chunks.push([at, Math.min(at + CHUNK - 1, end)]);
    return chunks;
  });
}

/** The ranges of a file that are not missing. */
function complement(missing, size) {
  const found = [];
  let at = 0;
  for (const [start, end] of missing) {
    if (start > at) found.push([at, start - 1]);
    at = end + 1;
  }
  if (at < size) found.push([at, size - 1]);
  return found;
}

export class Transfer {
  constructor({ file, parts, session = "" }, { service, slots, memory, onChange }) {
    this.file = file;
    this.parts = parts;
    this.path = parts.join("/");
    this.session = session;
    this.isChunked = service.hasSessions && file.size > CHUNK;
    this.received = [];
    this.flying = new Map();
    this.retries = 0;
    this.isDone = false;
    this.wasResumed = false;
    this.service = service;
    this.slots = slots;
    this.memory = memory;
    this.onChange = onChange;
  }

  /** Bytes that have arrived, those on their way included. */
  get progress() {
    if (this.isDone) return this.file.size;
    const arrived = this.received.reduce((sum, [start, end]) => sum + end - start + 1, 0);
    return [...this.flying.values()].reduce((sum, each) => sum + Math.min(each.sent, each.length), arrived);
  }

  get ranges() {
    const size = this.file.size;
    const received = complement(complement(this.received.toSorted((one, other) => one[0] - other[0]), size), size);
    const inFlight = [...this.flying.keys()];
    return { size, received, inFlight, missing: complement(received, size) };
  }

  /** Stores the file; what was stored of it before is not sent again. */
  async run(signal) {
    this.flying.clear();
    if (this.isChunked) await this.#inSession(signal);
    else await this.#whole(signal);
    this.isDone = true;
    this.onChange();
  }

  async #whole(signal) {
    const range = [0, this.file.size - 1];
    await this.#send(range, signal, (options) => this.service.upload(this.parts, this.file, options));
  }

  async #inSession(signal) {
    const name = UploadMemory.nameOf(this.path, this.file);
    const known = this.session || this.memory.recall(name);
    let found = known ? await this.#look(known, signal) : null;
    if (found && (found.path !== this.path || found.size !== this.file.size)) found = null;
    this.wasResumed = Boolean(found);
    this.session = found ? known : newSession();
    this.memory.remember(name, this.session);
    for (let round = 0; round < ROUNDS; round += 1) {
      const missing = found?.missing ?? [[0, this.file.size - 1]];
      this.received = complement(missing, this.file.size);
      this.onChange();
      if ((await this.#sendChunks(inChunks(missing), signal)) && (await this.#commit(signal))) {
        this.memory.forget(name);
        return;
      }
      found = await this.#look(this.session, signal);
    }
    throw new RequestError(0, "", `Chunks that had arrived were lost ${ROUNDS} times over.`);
  }

  #look(session, signal) {
    return this.#again(signal, () => this.service.uploadSession(session, { signal }));
  }

  /** False if the session does not know what it should, and has to be asked what it lacks. */
  async #sendChunks(chunks, signal) {
    const round = new AbortController();
    const either = AbortSignal.any([signal, round.signal]);
    let isSure = true;
    const sendOne = async (range) => {
      try {
        await this.#send(range, either, (options) =>
          this.service.uploadChunk(this.parts, this.session, this.file, range, options),
        );
        this.received.push(range);
      } catch (error) {
        if (error.code === "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE") {
          isSure = false; // it arrived before, and only the answer to that was lost
        } else if (error.status === 404) {
          isSure = false; // the session is gone: what arrived is, too
          round.abort();
        } else {
          throw error;
        }
      }
    };
    const results = await Promise.allSettled(
      chunks.map(async (range) => {
        try {
          await sendOne(range);
        } catch (error) {
          round.abort();
          throw error;
        }
      }),
    );
    stopIfAborted(signal);
    const failed = results.find((each) => each.status === "rejected" && each.reason.name !== "AbortError");
    if (failed) throw failed.reason;
    return isSure && results.every((each) => each.status === "fulfilled");
  }

  /** A commit whose answer was lost can be sent again. False if the session lacks something. */
  async #commit(signal) {
    try {
      await this.#again(signal, () => this.service.commit(this.session, { signal }));
      return true;
    } catch (error) {
      if (error.status === 404 || error.code === "E_INVALIDARG") return false;
      throw error;
    }
  }

  #send(range, signal, work) {
    return this.slots.use(() =>
      this.#again(signal, async () => {
        const flight = { sent: 0, length: range[1] - range[0] + 1 };
        const onProgress = (sent) => {
          flight.sent = sent;
          this.onChange();
        };
        this.flying.set(range, flight);
        this.onChange();
        try {
          await work({ signal, onProgress });
        } finally {
          this.flying.delete(range);
          this.onChange();
        }
      }),
    );
  }

  /** What fails in passing is tried again, later and later. */
  async #again(signal, work) {
    for (let attempt = 1; ; attempt += 1) {
      stopIfAborted(signal);
      try {
        return await work();
      } catch (error) {
        if (!error.isPassing || attempt === ATTEMPTS) throw error;
        if (error.status === 0) await requireReadable(this.file);
        this.retries += 1;
        this.onChange();
        await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal);
      }
    }
  }
}
