// Tests of an upload with Node's own test runner and fetch: a fresh store for each test, made by its first request.
// Run it with `node --test with_javascript.mjs`, with an emulator at IMAGESTORE_ENDPOINT or on the default port.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";

const SERVER = process.env.IMAGESTORE_ENDPOINT ?? "http://127.0.0.1:19080";
const V = "api-version=6.0";
const SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11";
const CONTENT = Buffer.alloc(200_000, "image store ");

// The client under test: it sends a request once more if its connection breaks before the answer.
async function send(method, url, body, headers = {}) {
  const request = () => fetch(url, { method, body, headers });
  return (await request().catch(request)).status;
}

const chunk = (endpoint, start, end) =>
  send("PUT", `${endpoint}/ImageStore/App/big/$/UploadChunk?${V}&session-id=${SESSION}`, CONTENT.subarray(start, end), {
    "Content-Range": `bytes ${start}-${end - 1}/${CONTENT.length}`,
  });

const commit = (endpoint) => send("POST", `${endpoint}/ImageStore/$/CommitUploadSession?${V}&session-id=${SESSION}`);

// The store of a test: its endpoint, and its control.
class Store {
  name = `js-${randomUUID()}`;
  endpoint = `${SERVER}/_emulator/on/${this.name}`;

  async ask(method, path, value) {
    const answer = await fetch(`${this.endpoint}/_emulator${path}`, { method, body: JSON.stringify(value) });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer;
  }

  advance = async (by) => (await (await this.ask("POST", "/clock/advance", { by })).json()).expired;
  addFault = (fault) => this.ask("POST", "/faults", fault);
  verify = (...expect) => this.ask("POST", "/journal/verify", { expect });
  read = async (path) => Buffer.from(await (await this.ask("GET", `/content/${path}`)).arrayBuffer());
  drop = () => this.ask("DELETE", `/stores/${this.name}`);
}

const withStore = (body) => async (context) => {
  const store = new Store();
  context.after(store.drop);
  await body(store);
};

test("a session expires half an hour after its last chunk", withStore(async (store) => {
  await chunk(store.endpoint, 0, 100_000);

  const expired = await store.advance("31m");

  assert.deepEqual(expired.map((session) => session.path), ["App/big"]);
  assert.equal(await commit(store.endpoint), 400);
}));

test("a chunk is sent again after its connection was cut", withStore(async (store) => {
  await store.addFault({ preset: "cut-chunk" });

  assert.equal(await chunk(store.endpoint, 0, 100_000), 200);
  assert.equal(await chunk(store.endpoint, 100_000, 200_000), 200);
  assert.equal(await commit(store.endpoint), 200);

  await store.verify({ operation: "UploadFileChunk", count: 3 });
  assert.ok(CONTENT.equals(await store.read("App/big")));
}));

test("a commit whose answer was lost is sent again", withStore(async (store) => {
  await store.addFault({ preset: "lost-commit-reply" });
  await chunk(store.endpoint, 0, 200_000);

  assert.equal(await commit(store.endpoint), 200);

  await store.verify({ operation: "CommitImageStoreUploadSession", count: 2 });
  assert.ok(CONTENT.equals(await store.read("App/big")));
}));
