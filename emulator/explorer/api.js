/** Requests of the page: to the service as any client sends them, and to the emulator's control API. */

const NEWEST_NEEDED = 6.2;
const SIZES_SINCE = 6.5;
const LOOKS_AGAIN_AFTER_MS = [150, 400];
const ANY_SESSION = "00000000-0000-0000-0000-000000000001";

/** The empty file that says of a folder that all of it is there. */
export const MARK_FILE = "_.dir";

/** A store that was dropped is not to come back because this page still asks for it. */
const HERE = { "X-Emulator-Make-Store": "no" };

/** The page only looks: faults that are set are for others. */
const LOOKING = { ...HERE, "X-Emulator-Fault": "none" };

/**
 * An answer that is no success. `status` is 0 where none came; `code` is the service's own, `role` that of a client
 * whose certificate is not enough.
 */
export class RequestError extends Error {
  constructor(status, code, message, role = "") {
    super(message);
    this.status = status;
    this.code = code;
    this.role = role;
  }

  /** Whether the same request may well succeed in a moment. */
  get isPassing() {
    return this.status === 0 || this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/** Why a request of the control API was refused; what is no JSON was said by something on the way there. */
function controlRefusal(status, text) {
  let said = { error: text };
  try {
    said = JSON.parse(text);
  } catch {
    // Something between here and the emulator answered.
  }
  return new RequestError(status, "", `${said.error} (${status}).`, said.role);
}

function gone(url) {
  return new RequestError(0, "", `No answer to ${new URL(url, location.href).pathname}: the connection was cut.`);
}

/** Why a request of the service was refused, in words: the header says more than the body. */
function refusal(status, text, why) {
  let code = "";
  let message = "";
  try {
    ({ Code: code = "", Message: message = "" } = JSON.parse(text).Error);
  } catch {
    // Some answers have no body, and a broken one says nothing either.
  }
  const reason = why || (message === "Null" ? "" : message) || "the emulator gave no reason";
  const name = [code, status].filter(Boolean).join(", ");
  return new RequestError(status, code, `${reason[0].toUpperCase()}${reason.slice(1)} (${name}).`);
}

/** Only looks at something, and looks again if the connection failed: browsers drop some when a network comes or goes. */
async function looking(look) {
  for (const pause of LOOKS_AGAIN_AFTER_MS) {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return look();
}

/** Sends a body, and tells how much of it is on its way; `fetch` cannot say. */
export function send(method, url, body, { headers = {}, signal, onProgress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, url);
    Object.entries({ ...HERE, ...headers }).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.onprogress = ({ loaded }) => onProgress?.(loaded);
    request.onload = () => resolve(request);
    request.onerror = () => reject(gone(url));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    if (signal?.aborted) {
      reject(new DOMException("stopped", "AbortError"));
      return;
    }
    signal?.addEventListener("abort", abort);
    request.send(body);
  });
}

/** The Image Store's REST API. */
export class Service {
  constructor(endpoint) {
    this.endpoint = endpoint;
    this.version = NEWEST_NEEDED;
    this.runtime = "";
    this.hasSessions = true;
    this.hasSizes = true;
  }

  /** Finds out what the emulated runtime can do. */
  async getToKnow() {
    const { Version: runtime } = await this.#look("/$/GetClusterVersion", { version: "6.0" });
    const newest = Number.parseFloat(runtime);
    this.runtime = runtime;
    this.version = Math.min(NEWEST_NEEDED, newest);
    this.hasSizes = newest >= SIZES_SINCE;
    this.hasSessions = true;
    try {
      await this.#look("/ImageStore/$/GetUploadSession", { query: `&session-id=${ANY_SESSION}` });
    } catch (error) {
      if (error.status !== 400) throw error;
      this.hasSessions = false; // the Linux build
    }
  }

  /**
   * A content path as part of a URL. The Windows build decodes it twice, first as a web server does, so that a name
   * with a character that means something after the first time has to be escaped twice.
   */
  path(parts) {
    const escape = (name) => {
      const once = encodeURIComponent(name);
      return this.hasSessions && /[%#$]/.test(name) ? encodeURIComponent(once) : once;
    };
    return ["/ImageStore", ...parts.map(escape)].join("/");
  }

  /** A page of a folder: `{files, folders, token}`; nothing in it where there is no such folder. */
  async list(parts, token = "") {
    let page = null;
    try {
      page = await this.#look(this.path(parts), { query: token && `&ContinuationToken=${token}` });
    } catch (error) {
      if (error.status !== 404) throw error;
    }
    return {
      files: page?.StoreFiles ?? [],
      folders: page?.StoreFolders ?? [],
      token: page?.ContinuationToken ?? "",
    };
  }

  /** Bytes of all files below a folder; `null` where the runtime cannot tell. */
  async folderSize(parts) {
    if (!this.hasSizes) return null;
    const path = `${this.path(parts)}/$/FolderSize`;
    try {
      return Number((await this.#look(path, { version: SIZES_SINCE }))?.FolderSize);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  /** The application types that are registered; `null` where the emulator has no such thing. */
  async applicationTypes() {
    try {
      return (await this.#look("/ApplicationTypes", { version: "6.0" }))?.Items ?? [];
    } catch (error) {
      if (error.status >= 400 && error.status < 500) return null;
      throw error;
    }
  }

  upload(parts, body, options) {
    return this.#send("PUT", this.path(parts), "", body, options);
  }

  uploadChunk(parts, session, file, [start, end], options) {
    const headers = { "Content-Range": `bytes ${start}-${end}/${file.size}` };
    const body = file.slice(start, end + 1);
    const target = `${this.path(parts)}/$/UploadChunk`;
    return this.#send("PUT", target, `&session-id=${session}`, body, { ...options, headers });
  }

  /** What a session still expects: `{path, size, missing}`; `null` for none of that id. */
  async uploadSession(session, { signal } = {}) {
    const target = this.#url("/ImageStore/$/GetUploadSession", `&session-id=${session}`);
    const found = await this.#json(await this.#fetch(target, { signal, headers: HERE }));
    const [info] = found?.UploadSessions ?? [];
    return (
      info && {
        path: info.StoreRelativePath,
        size: Number(info.FileSize),
        missing: info.ExpectedRanges.map((each) => [Number(each.StartPosition), Number(each.EndPosition)]),
      }
    );
  }

  commit(session, options) {
    return this.#send("POST", "/ImageStore/$/CommitUploadSession", `&session-id=${session}`, "", options);
  }

  deleteSession(session) {
    return this.#send("DELETE", "/ImageStore/$/DeleteUploadSession", `&session-id=${session}`);
  }

  copy(source, destination) {
    const body = JSON.stringify({ RemoteSource: source, RemoteDestination: destination });
    return this.#send("POST", "/ImageStore/$/Copy", "", body);
  }

  delete(parts) {
    return this.#send("DELETE", this.path(parts));
  }

  #url(path, query = "", version = this.version) {
    return `${this.endpoint}${path}?api-version=${version}${query}&from=Explorer`;
  }

  async #look(path, { query = "", version } = {}) {
    const url = this.#url(path, query, version);
    return looking(async () => this.#json(await this.#fetch(url, { headers: LOOKING })));
  }

  async #fetch(url, options) {
    try {
      return await fetch(url, { cache: "no-store", ...options });
    } catch (error) {
      throw error.name === "AbortError" ? error : gone(url);
    }
  }

  async #json(response) {
    let text;
    try {
      text = await response.text();
    } catch {
      throw gone(response.url);
    }
    if (!response.ok) throw refusal(response.status, text, response.headers.get("x-emulator-why"));
    if (!text) return null;
    try {
      return JSON.parse(text);
    } catch {
      throw new RequestError(0, "", "The answer is no JSON.");
    }
  }

  async #send(method, path, query = "", body = "", options = {}) {
    const answer = await send(method, this.#url(path, query), body, options);
    if (answer.status >= 400) {
      throw refusal(answer.status, answer.responseText, answer.getResponseHeader("x-emulator-why"));
    }
  }
}

/** The control API of a store. */
export class Control {
  constructor(endpoint, token) {
    this.root = `${endpoint}/_emulator`;
    this.token = token;
  }

  get(path) {
    return looking(() => this.request("GET", path));
  }

  put(path, value) {
    return this.request("PUT", path, value);
  }

  post(path, value) {
    return this.request("POST", path, value);
  }

  delete(path) {
    return this.request("DELETE", path);
  }

  /** JSON there and back; asks for the token where one is wanted. */
  async request(method, path, value) {
    const body = value === undefined ? undefined : JSON.stringify(value);
    const response = await this.open(path, { method, body, cache: "no-store" });
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  }

  /** An answer that is a success, with its body still to come. */
  async open(path, options = {}) {
    for (;;) {
      const given = this.token.value;
      let response;
      try {
        response = await fetch(this.root + path, { ...options, headers: { ...HERE, ...this.token.headers } });
      } catch (error) {
        throw error.name === "AbortError" ? error : gone(this.root + path);
      }
      if (response.ok) return response;
      if (response.status === 401 && (await this.token.ask(given))) continue;
      throw controlRefusal(response.status, await response.text());
    }
  }

  /** The files of an archive, put into a folder of the store. */
  async seed(archive, into, { marks, signal, onProgress }) {
    const query = new URLSearchParams({ into, marks });
    for (;;) {
      const given = this.token.value;
      const options = { headers: this.token.headers, signal, onProgress };
      const answer = await send("POST", `${this.root}/seed?${query}`, archive, options);
      if (answer.status < 400) return JSON.parse(answer.responseText);
      if (answer.status === 401 && (await this.token.ask(given))) continue;
      throw controlRefusal(answer.status, answer.responseText);
    }
  }

  /** Where the bytes of a stored file are. */
  contentPath(parts) {
    return `/content/${parts.map(encodeURIComponent).join("/")}`;
  }
}
