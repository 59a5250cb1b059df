/** Puts the page together: who shows what, and what has to be looked at again after which request. */

import { Actions } from "./actions.js";
import { readAddress } from "./address.js";
import { Control, Service } from "./api.js";
import { ClockPanel } from "./clock.js";
import { setText, throttled } from "./dom.js";
import { readDrop, readPicked } from "./dropped.js";
import { FaultsPanel } from "./faults.js";
import { Journal } from "./journal.js";
import { UploadMemory } from "./memory.js";
import { Notices, ask } from "./notices.js";
import { Sessions } from "./sessions.js";
import { SnapshotsPanel } from "./snapshots.js";
import { StoresPanel } from "./stores.js";
import { followJournal } from "./stream.js";
import { StoreTime } from "./time.js";
import { Token } from "./token.js";
import { Tree, describe } from "./tree.js";
import { TypesPanel } from "./types.js";
import { Uploads } from "./uploads.js";
import { UploadsView } from "./uploads_view.js";

const LOOK_AGAIN_MS = 5000;
const TICK_MS = 250;

const part = (name) => document.querySelector(`[data-part="${name}"]`);
const action = (name) => document.querySelector(`[data-do="${name}"]`);

const address = readAddress(location);
const token = new Token(part("token"));
const service = new Service(address.endpoint);
const control = new Control(address.endpoint, token);
const server = new Control(`${address.server}/_emulator/on/default`, token);
const notices = new Notices(part("statuses"), part("alerts"));
const dialog = part("ask");
const memory = new UploadMemory(address.endpoint);
const time = new StoreTime();
let isControlled = true;
let isConnected = false;
let isGone = false;

// --- content ---------------------------------------------------------------------------------------------------------

const actions = new Actions({ service, control, token, notices, dialog, onChanged: () => lookAtContent() });

const tree = new Tree({
  table: part("tree"),
  empty: part("empty"),
  service,
  onSelect(entry) {
    setText(part("selected-path"), entry.path || "Whole store");
    setText(part("selected-facts"), describe(entry));
    action("download").disabled = !entry.path || entry.isFolder;
    action("copy").disabled = !entry.path;
    action("delete").disabled = !entry.path;
  },
  onAction: (name, entry) => void actions[name](entry),
  onTotal: (text) => setText(part("total"), text),
});

for (const name of ["download", "copy", "delete"]) {
  action(name).addEventListener("click", () => actions[name](tree.selected));
}
action("refresh").addEventListener("click", () => {
  lookAtContent();
  lookAtControl();
});

// --- uploads ---------------------------------------------------------------------------------------------------------

const uploads = new Uploads({
  service,
  control,
  memory,
  onChange: () => drawUploads(),
  onEnd(upload) {
    lookAtContent();
    lookAtSessions();
    if (upload.state === "done") notices.say(`${upload.title} is stored.`);
    if (upload.state === "failed") notices.fail(`${upload.title} is not complete: see Uploads`);
  },
});
const uploadsView = new UploadsView({ part: part("uploads-part"), list: part("uploads"), uploads });
let isDrawing = false;

/** Progress comes faster than screens show it. */
function drawUploads() {
  if (isDrawing) return;
  isDrawing = true;
  setTimeout(() => {
    isDrawing = false;
    uploadsView.draw();
  }, 60);
}

function upload(found, folder, session = "") {
  if (!found.files.length && !found.folders.length) {
    notices.fail("There is no file in what was dropped");
    return;
  }
  const options = { marks: part("marks").checked, unpacks: part("unpacks").checked && isControlled };
  uploads.start(found, { into: folder, session, ...options });
}

function selectedFolder() {
  const entry = tree.selected;
  return entry.isFolder ? entry.parts : entry.parts.slice(0, -1);
}

const pickers = [
  ["choose-files", "files"],
  ["choose-folder", "folder"],
];
for (const [name, input] of pickers) {
  action(name).addEventListener("click", () => part(input).click());
  part(input).addEventListener("change", (event) => {
    upload(readPicked(event.target.files), selectedFolder());
    event.target.value = "";
  });
}

const dropzone = part("dropzone");
const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
dropzone.addEventListener("dragover", (event) => {
  if (!isFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  const folder = tree.folderAt(event.target);
  dropzone.classList.add("over");
  setText(part("drop-hint"), folder.path ? `Drop to upload into ${folder.path}` : "Drop to upload into the root of the store");
});
dropzone.addEventListener("dragleave", (event) => {
  if (!dropzone.contains(event.relatedTarget)) dropzone.classList.remove("over");
});
dropzone.addEventListener("drop", async (event) => {
  if (!isFiles(event)) return;
  event.preventDefault();
  dropzone.classList.remove("over");
  const folder = tree.folderAt(event.target);
  await notices.attempt("What was dropped cannot be read", async () => upload(await readDrop(event.dataTransfer), folder.parts));
});
for (const name of ["dragover", "drop"]) {
  window.addEventListener(name, (event) => event.preventDefault()); // beside the area, a file would replace the page
}
window.addEventListener("beforeunload", (event) => {
  if (uploads.isRunning) event.preventDefault();
});

// --- sessions --------------------------------------------------------------------------------------------------------

const sessions = new Sessions({
  list: part("sessions"),
  empty: part("sessions-empty"),
  total: part("sessions-count"),
  control,
  time,
  memory,
  uploads,
  onExpire: () => lookAtSessions(),
  async onDelete(session) {
    const answer = await ask(dialog, {
      title: "Delete this upload session?",
      text: session.is_committed
        ? `${session.path} was committed and stays.`
        : `What was received of ${session.path} will be gone.`,
      action: "Delete",
      isDangerous: true,
    });
    if (!answer) return;
    await notices.attempt("The session was not deleted", () => service.deleteSession(session.session), "The session is deleted.");
    lookAtSessions();
  },
  onResume(session) {
    const input = part("resumed");
    input.onchange = () => {
      const [file] = input.files;
      input.value = "";
      if (!file) return;
      if (file.size !== session.size) {
        notices.fail(`${file.name} has ${file.size} bytes, and the session is for a file of ${session.size}`);
        return;
      }
      const parts = session.path.split("/");
      upload({ files: [{ file, parts: parts.slice(-1) }], folders: [] }, parts.slice(0, -1), session.session);
    };
    input.click();
  },
});

// --- journal ---------------------------------------------------------------------------------------------------------

const journal = new Journal({
  list: part("entries"),
  empty: part("journal-empty"),
  more: action("more-journal"),
  total: part("journal-count"),
  filter: part("journal-filter"),
  errors: part("journal-errors"),
  own: part("journal-own"),
  async onCopy(command) {
    try {
      await navigator.clipboard.writeText(command);
      notices.say("Copied as curl.");
    } catch {
      // Only pages of this machine and of HTTPS may write there.
      await ask(dialog, {
        title: "Copy as curl",
        text: "This browser lets the page write nothing to the clipboard: copy it from here.",
        action: "Done",
        fields: [{ name: "command", label: "Command", value: command }],
      });
    }
  },
});
action("clear-journal").addEventListener("click", () =>
  notices.attempt("The journal was not cleared", async () => {
    await control.delete("/journal");
    journal.begin();
  }),
);

// --- test kit --------------------------------------------------------------------------------------------------------

const clock = new ClockPanel({
  control,
  time,
  notices,
  parts: {
    now: part("clock-now"),
    header: part("now"),
    how: part("clock-how"),
    mode: part("mode"),
    freeze: action("freeze"),
    reset: action("reset-clock"),
    steps: document.querySelectorAll("[data-advance]"),
    form: part("advance"),
    expiry: part("expiry"),
  },
  onMoved: () => lookAtSessions(),
});
const faults = new FaultsPanel({
  control,
  notices,
  parts: {
    presetForm: part("preset-form"),
    faultForm: part("fault-form"),
    preset: document.querySelector("#preset"),
    does: part("preset-does"),
    list: part("faults"),
    empty: part("faults-empty"),
    total: part("faults-count"),
    clear: action("clear-faults"),
  },
});
const snapshots = new SnapshotsPanel({
  control,
  notices,
  dialog,
  parts: { form: part("snapshot-form"), list: part("snapshots"), empty: part("snapshots-empty") },
  onRestored: lookAtAll,
});
const stores = new StoresPanel({
  control,
  server,
  address,
  notices,
  dialog,
  parts: { form: part("store-form"), list: part("stores") },
});
const types = new TypesPanel({ service, part: document.querySelector("#types"), list: part("types"), empty: part("types-empty") });

action("reset").addEventListener("click", async () => {
  const answer = await ask(dialog, {
    title: "Reset this store?",
    text: `Content, upload sessions, faults and journal of ${address.store} will be gone, and its clock is the machine’s again.`,
    action: "Reset",
    isDangerous: true,
  });
  if (!answer) return;
  await notices.attempt("The store was not reset", () => control.post("/reset"), "The store is as new.");
  journal.begin();
  lookAtAll();
});

// --- what is looked at when ------------------------------------------------------------------------------------------

const lookAtContent = throttled(() => (isGone ? undefined : tree.refresh()), 500);
const lookAtSessions = throttled(() => quietly(() => sessions.refresh()), 400);
const lookAtFaults = throttled(() => quietly(() => faults.refresh()), 400);
const lookAtTypes = throttled(() => types.refresh().catch(() => {}), 500);
const lookAtControl = throttled(() =>
  quietly(() => Promise.all([clock.refresh(), faults.refresh(), snapshots.refresh(), stores.refresh(), sessions.refresh()])),
);

function lookAtAll() {
  lookAtContent();
  lookAtControl();
  lookAtTypes();
}

/** The connection's own state tells that nobody answers; nothing is gained by telling it five times over. */
async function quietly(work) {
  if (!isControlled) return;
  try {
    await work();
  } catch (error) {
    if (error.status) showRefused(error);
  }
}

function showRefused(error) {
  isControlled = false;
  setText(part("kit-refused"), error.message);
  part("kit-refused").hidden = false;
  part("kit").hidden = true;
  part("sessions-part").hidden = true;
  setText(part("journal-empty"), "The journal is not to be had: see Test kit.");
}

/** What a request may have changed; looks change nothing, and so lead to no other look. */
function onEntry(entry) {
  journal.add(entry);
  if (entry.fault) lookAtFaults();
  if (entry.verb === "GET") return;
  if (/UploadSession|UploadFileChunk/.test(entry.operation)) lookAtSessions();
  if (!/UploadFileChunk|DeleteImageStoreUploadSession/.test(entry.operation)) lookAtContent();
  if (!entry.target.startsWith("/ImageStore")) lookAtTypes();
}

function showConnection(state, text) {
  isConnected = state === "live";
  part("connection").dataset.state = state;
  setText(part("connection"), text);
}

async function follow() {
  await followJournal(control, {
    onBegin() {
      showConnection("live", "Live");
      journal.begin();
      lookAtAll();
    },
    onEntry,
    onLost(error) {
      showConnection("lost", error?.status ? "No live updates" : "Connection lost, trying again");
      if (error?.status) showRefused(error);
    },
    /** Whoever asks for a store makes it: one that was dropped is not to come back by being looked at. */
    async mayGoOn() {
      try {
        if (await stores.isThere()) return true;
      } catch {
        return true;
      }
      showConnection("lost", "Dropped");
      isControlled = false;
      isGone = true;
      notices.fail(`Store ${address.store} was dropped. Reload the page to make it again`);
      return false;
    },
  });
}

setInterval(() => {
  clock.tick();
  sessions.tick();
}, TICK_MS);
setInterval(() => {
  if (!document.hidden && isConnected) lookAtControl();
}, LOOK_AGAIN_MS);
setInterval(() => {
  if (!document.hidden && isConnected && (sessions.isWatching || uploads.isRunning)) lookAtSessions();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isConnected) lookAtAll();
});
action("no-token").addEventListener("click", () => part("token").close("no"));

setText(part("store"), address.store);
document.title = `${address.store}: Image Store Explorer`;

async function begin() {
  try {
    await service.getToKnow();
    setText(part("runtime"), `Service Fabric ${service.runtime}`);
  } catch (error) {
    notices.fail("The emulator’s version cannot be read", error);
  }
  lookAtContent();
  lookAtTypes();
  await follow();
}

void begin();
