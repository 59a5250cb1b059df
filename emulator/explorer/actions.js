/** What can be done with a stored file or folder. */

import { element } from "./dom.js";
import { count } from "./format.js";
import { ask } from "./notices.js";

export class Actions {
  constructor({ service, control, token, notices, dialog, onChanged }) {
    Object.assign(this, { service, control, token, notices, dialog, onChanged });
  }

  /** The bytes of a file. They come as an attachment that no browser runs, and are only saved. */
  async download(entry) {
    const path = this.control.contentPath(entry.parts);
    await this.notices.attempt(`${entry.name} cannot be downloaded`, async () => {
      let href = this.control.root + path;
      await this.control.get("/clock"); // says what is wrong with control, or asks for the token, before a link cannot
      if (this.token.value) {
        const response = await this.control.open(path); // a link cannot carry the token
        href = URL.createObjectURL(await response.blob());
      }
      const link = element("a", { href, download: entry.name });
      document.body.append(link);
      link.click();
      link.remove();
      if (href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(href), 60_000);
    });
  }

  async copy(entry) {
    const isUnmarked = entry.isFolder && entry.isLoaded && !entry.isMarked;
    const answer = await ask(this.dialog, {
      title: entry.isFolder ? "Copy a folder" : "Copy a file",
      text: `${entry.path} stays where it is. What is at the other place is replaced.`,
      note: isUnmarked ? "This folder has no mark file _.dir: as a cluster does, the emulator will refuse to copy it." : "",
      action: "Copy",
      fields: [{ name: "destination", label: "To", value: `${entry.path}-copy` }],
    });
    if (!answer) return;
    const work = () => this.service.copy(entry.path, answer.destination);
    await this.notices.attempt(`${entry.path} was not copied`, work, `Copied to ${answer.destination}.`);
    this.onChanged();
  }

  async delete(entry) {
    const what = entry.isFolder ? `and all that is in it, ${count(entry.fileCount, "file")},` : "";
    const answer = await ask(this.dialog, {
      title: entry.isFolder ? "Delete this folder?" : "Delete this file?",
      text: `${entry.path} ${what} will be gone from the store.`.replace("  ", " "),
      action: "Delete",
      isDangerous: true,
    });
    if (!answer) return;
    const work = () => this.service.delete(entry.parts);
    await this.notices.attempt(`${entry.path} was not deleted`, work, `${entry.path} is deleted.`);
    this.onChanged();
  }
}
