/** Puts the page together: who shows what, and what has to be looked at again after which request. */

import { Access } from "./access.js";
import { Actions } from "./actions.js";
import { readAddress } from "./address.js";
import { Control, Service } from "./api.js";
import { ClockPanel } from "./clock.js";
import { setText, throttled } from "./dom.js";
import { FaultsPanel } from "./faults.js";
import { Intake } from "./intake.js";
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
const notices = new Notices(part("statuses"), part("alerts"));
const dialog = part("ask");
const memory = new UploadMemory(address.endpoint);
const time = new StoreTime();
const access = new Access({
  refused: part("kit-refused"),
  parts: [part("kit"), part("sessions-part")],
  knobs: [part("unpacks"), part("journal-filter"), part("journal-errors"), part("journal-own"), action("clear-journal")],
  journalEmpty: part("journal-empty"),
  readOnly: part("read-only"),
  uploading: [action("choose-files"), action("choose-folder"), part("upload-options"), part("to-uploads"), document.querySelector("#uploads")],
  writing: [action("choose-files"), action("choose-folder"), part("marks")],
});
let isConnected = false;

// --- content ---------------------------------------------------------------------------------------------------------

const actions = new Actions({ service, control, token, notices, dialog, onChanged: () => lookAtContent() });

const tree = new Tree({
  table: part("tree"),
  empty: part("empty"),
  service,
  onSelect(entry) {
    setText(part("selected-path"), entry.path || "Whole store");
    setText(part("selected-facts"), describe(entry, access.mayWrite));
    for (const name of ["download", "copy", "delete"]) action(name).disabled = !canDo(name, entry);
  },
  onAction: (name, entry) => canDo(name, entry) && void actions[name](entry),
  onTotal: (text) => setText(part("total"), text),
});

/** Bytes are to be had from the control API alone. */
function canDo(name, entry) {
  if (name === "download") return Boolean(entry.path) && !entry.isFolder && access.isControlled;
  return Boolean(entry.path) && access.mayWrite;
}

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
    if (upload.state === "done") notices.say(`${upload.title} ${upload.verb} stored.`);
    if (upload.state === "failed") notices.fail(`${upload.title} ${upload.verb} not complete: see Uploads`);
  },
});
const uploadsView = new UploadsView({ part: part("uploads-part"), list: part("uploads"), uploads });

/** Progress comes faster than screens show it. */
const drawUploads = throttled(() => uploadsView.draw(), 60);

function upload(found, folder, session = "") {
  if (!found.files.length && !found.folders.length) {
    notices.fail("There is no file in what was dropped");
    return;
  }
  const options = { marks: part("marks").checked, unpacks: part("unpacks").checked && access.isControlled };
  uploads.start(found, { into: folder, session, ...options });
}

const intake = new Intake({
  dropzone: part("dropzone"),
  hint: part("drop-hint"),
  pickers: [
    { button: action("choose-files"), input: part("files") },
    { button: action("choose-folder"), input: part("folder") },
  ],
  resumed: part("resumed"),
  tree,
  notices,
  mayWrite: () => access.mayWrite,
  onFiles: upload,
});
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
  onResume: (session) => intake.chooseFor(session),
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

const lookAtContent = throttled(() => (access.isGone ? undefined : tree.refresh()), 500);
const lookAtSessions = throttled(() => quietly(() => sessions.refresh()), 400);
const lookAtFaults = throttled(() => quietly(() => faults.refresh()), 400);
const lookAtTypes = throttled(() => (access.isGone ? undefined : types.refresh().catch(() => {})), 500);
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
  if (!access.isControlled) return;
  try {
    await work();
  } catch (error) {
    refuse(error);
  }
}

function refuse(error) {
  access.refuse(error);
  tree.select();
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
      access.allow();
      journal.begin();
      lookAtAll();
    },
    onEntry,
    onLost(error) {
      if (error?.status === 404) {
        showConnection("lost", "Dropped");
        access.end(error.message);
        notices.fail(`Store ${address.store} was dropped. Reload the page to make it again`);
        return;
      }
      const isRefused = error?.status && !error.isPassing;
      showConnection("lost", isRefused ? "No live updates" : "Connection lost, trying again");
      if (isRefused) refuse(error);
    },
  });
}

setInterval(() => {
  clock.tick();
  sessions.tick();
}, TICK_MS);
setInterval(() => {
  if (document.hidden) return;
  if (isConnected) lookAtControl();
  else if (!access.isControlled) {
    lookAtContent(); // nothing tells when it is time to
    lookAtTypes();
  }
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
