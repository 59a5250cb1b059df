/** The content of the store as a tree: folders are listed when they are opened, a screenful at a time. */

import { MARK_FILE } from "./api.js";
import { element, keyed, setText } from "./dom.js";
import { bytes, count, moment, words } from "./format.js";

const STEP = 200;

class Folder {
  constructor(parts, fileCount = 0) {
    this.parts = parts;
    this.name = parts.at(-1) ?? "";
    this.path = parts.join("/");
    this.fileCount = fileCount;
    this.isFolder = true;
    this.isOpen = false;
    this.isLoaded = false;
    this.isLoading = false;
    this.error = null;
    this.children = [];
    this.token = "";
    this.shown = STEP;
    this.size = null;
    this.isMarked = false;
  }

  /** The name of an entry of a listing, whichever separator the platform has. */
  #partsOf(relative) {
    return [...this.parts, relative.slice(this.path ? this.path.length + 1 : 0)];
  }

  /** Takes in what a listing says; folders that are known stay as they are. */
  take({ files, folders, token }, isFirst) {
    const known = new Map(this.children.filter((each) => each.isFolder).map((each) => [each.path, each]));
    const found = folders.map(({ StoreRelativePath, FileCount }) => {
      const parts = this.#partsOf(StoreRelativePath);
      const folder = known.get(parts.join("/")) ?? new Folder(parts);
      folder.fileCount = Number(FileCount);
      return folder;
    });
    const listed = files.map((file) => {
      const parts = this.#partsOf(file.StoreRelativePath);
      return {
        parts,
        name: parts.at(-1),
        path: parts.join("/"),
        isFolder: false,
        isMark: parts.at(-1).toLowerCase() === MARK_FILE,
        size: Number(file.FileSize),
        modified: file.ModifiedDate,
        version: file.FileVersion,
      };
    });
    this.children = [...(isFirst ? [] : this.children), ...found, ...listed];
    const rank = (each) => (each.isFolder ? 0 : each.isMark ? 1 : 2);
    this.children.sort((one, other) => rank(one) - rank(other));
    this.isMarked = this.children.some((each) => each.isMark);
    this.token = token;
    this.isLoaded = true;
  }
}

export class Tree {
  #current = "";

  constructor({ table, empty, service, onSelect, onAction, onTotal }) {
    this.body = table.tBodies[0];
    this.table = table;
    this.empty = empty;
    this.service = service;
    this.onSelect = onSelect;
    this.onAction = onAction;
    this.onTotal = onTotal;
    this.root = new Folder([]);
    this.root.isOpen = true;
    this.body.addEventListener("click", (event) => this.#onClick(event));
    this.body.addEventListener("focusin", (event) => this.#select(event.target.closest("tr")));
    this.body.addEventListener("keydown", (event) => this.#onKey(event));
    table.parentElement.addEventListener("click", (event) => {
      if (!this.body.contains(event.target)) this.#selectRoot();
    });
  }

  /** The entry that is selected; the root if none is. */
  get selected() {
    return this.#rowOf(this.#current)?.entry ?? this.root;
  }

  /** Where uploads go that were not dropped anywhere. */
  get selectedFolder() {
    const entry = this.selected;
    return entry.isFolder ? entry.parts : entry.parts.slice(0, -1);
  }

  /** Tells again what is selected; what can be done with it may have changed. */
  select() {
    this.onSelect(this.selected);
  }

  /** Where things dropped on an element of the tree belong. */
  folderAt(target) {
    const row = target instanceof Element ? target.closest("tr[data-key]") : null;
    const found = row && this.#rowOf(row.dataset.key);
    if (!found) return this.root;
    return found.entry?.isFolder ? found.entry : found.parent;
  }

  /** Lists again whatever is open. */
  async refresh() {
    const open = [];
    const collect = (folder) => {
      open.push(folder);
      folder.children.filter((each) => each.isFolder && each.isOpen).forEach(collect);
    };
    collect(this.root);
    for (const folder of open) {
      if (folder.path === "" || folder.isOpen) await this.#load(folder);
    }
  }

  /** Lists a folder from its start, as far as it was listed before. */
  async #load(folder) {
    folder.isLoading = true;
    this.#draw();
    try {
      const wanted = folder.children.length;
      let page = await this.service.list(folder.parts);
      const files = [...page.files];
      const folders = [...page.folders];
      while (page.token && files.length + folders.length < wanted) {
        page = await this.service.list(folder.parts, page.token);
        files.push(...page.files);
        folders.push(...page.folders);
      }
      folder.take({ files, folders, token: page.token }, true);
      folder.error = null;
      folder.size = await this.service.folderSize(folder.parts);
    } catch (error) {
      folder.error = error;
    } finally {
      folder.isLoading = false;
      this.#draw();
    }
  }

  async #more(folder) {
    const place = folder.shown;
    folder.shown += STEP;
    if (folder.shown > folder.children.length && folder.token) {
      folder.isLoading = true;
      this.#draw();
      try {
        folder.take(await this.service.list(folder.parts, folder.token), false);
        folder.error = null;
      } catch (error) {
        folder.error = error;
      }
      folder.isLoading = false;
    }
    this.#draw();
    this.#focus(folder.children[place]?.path);
  }

  toggle(folder, isOpen = !folder.isOpen) {
    folder.isOpen = isOpen;
    if (isOpen) void this.#load(folder);
    else this.#draw();
  }

  /** All rows in order: entries, and what there is to say about a folder that is not just its entries. */
  #rows() {
    const rows = [];
    const add = (folder, level) => {
      const parent = folder;
      const shown = folder.children.slice(0, folder.shown);
      shown.forEach((entry, place) => {
        rows.push({ key: `/${entry.path}`, entry, parent, level, place: place + 1, among: shown.length });
        if (entry.isFolder && entry.isOpen) add(entry, level + 1);
      });
      const say = (kind, text) => rows.push({ key: `${kind}:${folder.path}`, kind, text, parent, level });
      if (folder.error) {
        say("retry", `${words(folder.error)} Press Enter or click to try again.`);
      } else if (folder.shown < folder.children.length || folder.token) {
        const rest = folder.children.length - folder.shown;
        say("more", rest > 0 ? `${count(rest, "more entry", "more entries")}: show` : "Show more entries");
      } else if (!folder.children.length && folder !== this.root) {
        say("note", folder.isLoading || !folder.isLoaded ? "Loading…" : "Nothing in here");
      }
    };
    add(this.root, 1);
    return rows;
  }

  #rowOf(key) {
    return this.#rows().find((each) => each.key === key);
  }

  #draw() {
    const rows = this.#rows();
    if (!rows.some((each) => each.key === this.#current)) this.#current = "";
    const reachable = this.#current || rows[0]?.key;
    const before = document.activeElement?.closest?.("tr");
    const hadFocus = before && this.body.contains(before);
    const place = hadFocus ? before.rowIndex - 1 : -1;
    keyed(this.body, rows, (row) => row.key, makeRow, (shown, row) => drawRow(shown, row, reachable));
    if (hadFocus && !before.isConnected) {
      this.body.rows[Math.min(place, this.body.rows.length - 1)]?.focus(); // what had it is gone
    }
    this.table.setAttribute("aria-busy", String(this.root.isLoading));
    const isEmpty = this.root.isLoaded && !rows.length;
    this.empty.hidden = !isEmpty;
    this.table.hidden = isEmpty;
    const files = this.root.children.reduce((sum, each) => sum + (each.isFolder ? each.fileCount : 1), 0);
    const known = this.root.isLoaded && !this.root.token;
    this.onTotal(known ? [count(files, "file"), this.root.size === null ? "" : bytes(this.root.size)].filter(Boolean).join(", ") : "");
    this.onSelect(this.selected);
  }

  #select(row) {
    if (!row || row.dataset.key === this.#current) return;
    this.#current = row.dataset.key;
    for (const each of this.body.rows) {
      const isCurrent = each === row;
      each.tabIndex = isCurrent ? 0 : -1;
      each.setAttribute("aria-selected", String(isCurrent));
    }
    this.onSelect(this.selected);
  }

  /** Nothing is selected, and uploads go to the root. */
  #selectRoot() {
    this.#current = "";
    for (const each of this.body.rows) each.setAttribute("aria-selected", "false");
    this.select();
  }

  #focus(path) {
    this.body.querySelector(`tr[data-key="${CSS.escape(`/${path}`)}"]`)?.focus();
  }

  #onClick(event) {
    const row = event.target.closest("tr");
    if (!row) return;
    row.focus();
    const found = this.#rowOf(row.dataset.key);
    if (found?.kind || event.target.closest(".twisty") || (found?.entry.isFolder && event.detail === 2)) {
      this.#enter(found);
    }
  }

  #enter({ kind, entry, parent }) {
    if (kind === "more") void this.#more(parent);
    else if (kind === "retry") void this.#load(parent);
    else if (entry?.isFolder) this.toggle(entry);
    else if (entry) this.onAction("download", entry);
  }

  #onKey(event) {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const found = this.#rowOf(row.dataset.key);
    const { entry, parent } = found;
    const steps = {
      ArrowDown: () => row.nextElementSibling?.focus(),
      ArrowUp: () => row.previousElementSibling?.focus(),
      Home: () => this.body.rows[0].focus(),
      End: () => this.body.rows[this.body.rows.length - 1].focus(),
      Enter: () => this.#enter(found),
      ArrowRight: () => {
        if (entry?.isFolder && !entry.isOpen) this.toggle(entry, true);
        else if (entry?.isFolder) row.nextElementSibling?.focus();
      },
      ArrowLeft: () => {
        if (entry?.isFolder && entry.isOpen) this.toggle(entry, false);
        else this.#focus(parent.path);
      },
      Escape: () => this.#selectRoot(),
      Delete: () => entry && this.onAction("delete", entry),
    };
    if (steps[event.key]) {
      event.preventDefault();
      steps[event.key]();
    }
  }
}

function makeRow(row) {
  const name = element("td", { className: "name", aria: { role: "gridcell" } });
  if (row.kind) {
    name.colSpan = 4;
    name.append(element("span", { className: "twisty", aria: { hidden: "true" } }), element("span"));
    return element("tr", { className: row.kind, aria: { role: "row" } }, name);
  }
  name.append(
    element("span", { className: "twisty", aria: { hidden: "true" } }),
    element("bdi", { className: "label" }),
    element("span", { className: "tag", hidden: true }),
  );
  const cell = (className) => element("td", { className, aria: { role: "gridcell" } });
  return element("tr", { aria: { role: "row" } }, name, cell("number"), cell("wide"), cell("wide number"));
}

function drawRow(shown, row, reachable) {
  const { entry, level, place, among } = row;
  shown.setAttribute("aria-level", level);
  shown.style.setProperty("--level", level - 1);
  shown.tabIndex = row.key === reachable ? 0 : -1;
  const [name, size, modified, version] = shown.cells;
  if (row.kind) {
    setText(name.lastElementChild, row.text);
    return;
  }
  shown.setAttribute("aria-setsize", among);
  shown.setAttribute("aria-posinset", place);
  const [twisty, label, tag] = name.children;
  setText(label, entry.name);
  label.title = entry.name;
  if (!entry.isFolder) {
    shown.className = entry.isMark ? "file mark" : "file";
    tag.hidden = !entry.isMark;
    setText(tag, entry.isMark ? "mark file" : "");
    setText(size, bytes(entry.size));
    setText(modified, moment(entry.modified));
    setText(version, entry.version.VersionNumber);
    return;
  }
  shown.className = "folder";
  shown.setAttribute("aria-expanded", String(entry.isOpen));
  setText(twisty, entry.isOpen ? "▾" : "▸");
  const isListed = entry.isLoaded && !entry.error;
  tag.hidden = !isListed;
  setText(tag, isListed ? (entry.isMarked ? "complete" : "no mark file") : "");
  tag.classList.toggle("good", entry.isMarked);
  setText(size, isListed && entry.size !== null ? bytes(entry.size) : "");
  setText(modified, count(entry.fileCount, "file"));
}

/** What is known of an entry, in a line, and what will become of uploads if there may be any. */
export function describe(entry, mayUpload) {
  if (!entry.path) return mayUpload ? "Uploads go to the root of the store. Select a folder to upload into it." : "";
  if (!entry.isFolder) {
    const { EpochDataLossNumber: loss, VersionNumber: number, EpochConfigurationNumber: configuration } = entry.version;
    return `${count(entry.size, "byte")}, modified ${moment(entry.modified)} UTC, version ${loss}.${number}.${configuration}`;
  }
  const facts = [`Folder with ${count(entry.fileCount, "file")}`];
  if (entry.isLoaded && entry.size !== null) facts.push(count(entry.size, "byte"));
  if (entry.isLoaded) facts.push(entry.isMarked ? "complete: it has its mark file" : "without a mark file, so it cannot be copied");
  return `${facts.join(", ")}.${mayUpload ? " Uploads go in here." : ""}`;
}
