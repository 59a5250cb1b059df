/** Which upload session was begun for which file, so that an upload goes on after the page was closed. */

const MOST = 200;

export class UploadMemory {
  constructor(endpoint) {
    this.key = `imagestore-explorer${endpoint}/uploads`;
  }

  /** The same file at the same place: its path in the store, its size, and when it was changed last. */
  static nameOf(path, file) {
    return `${path}|${file.size}|${file.lastModified}`;
  }

  recall(name) {
    return this.#read()[name] ?? "";
  }

  remember(name, session) {
    const { [name]: _, ...others } = this.#read();
    const kept = Object.entries({ ...others, [name]: session }).slice(-MOST);
    this.#write(Object.fromEntries(kept));
  }

  forget(name) {
    const { [name]: _, ...others } = this.#read();
    this.#write(others);
  }

  /** Whether an upload with this session was begun from here. */
  knows(session) {
    return Object.values(this.#read()).includes(session);
  }

  #read() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      return {}; // somebody else's text, or no storage: uploads work without it
    }
  }

  #write(value) {
    try {
      localStorage.setItem(this.key, JSON.stringify(value));
    } catch {
      // Full, or forbidden.
    }
  }
}
