/** Where files come into the page: dropped on the tree, or chosen. */

import { setText } from "./dom.js";
import { readDrop, readPicked } from "./dropped.js";

const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

export class Intake {
  /** `onFiles` gets what came and the folder it is for; nothing comes in while `mayWrite` says no. */
  constructor({ dropzone, hint, pickers, resumed, tree, notices, mayWrite, onFiles }) {
    Object.assign(this, { dropzone, hint, resumed, tree, notices, mayWrite, onFiles });
    for (const { button, input } of pickers) this.#listenToPicker(button, input);
    dropzone.addEventListener("dragover", (event) => this.#onDragOver(event));
    dropzone.addEventListener("dragleave", (event) => {
      if (!dropzone.contains(event.relatedTarget)) dropzone.classList.remove("over");
    });
    dropzone.addEventListener("drop", (event) => void this.#onDrop(event));
    for (const name of ["dragover", "drop"]) {
      window.addEventListener(name, (event) => event.preventDefault()); // beside the area, a file would replace the page
    }
  }

  /** Asks for the file that a session is for. */
  chooseFor(session) {
    const input = this.resumed;
    input.onchange = () => {
      const [file] = input.files;
      input.value = "";
      if (!file) return;
      if (file.size !== session.size) {
        this.notices.fail(`${file.name} has ${file.size} bytes, and the session is for a file of ${session.size}`);
        return;
      }
      const parts = session.path.split("/");
      this.onFiles({ files: [{ file, parts: parts.slice(-1) }], folders: [] }, parts.slice(0, -1), session.session);
    };
    input.click();
  }

  #listenToPicker(button, input) {
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.onFiles(readPicked(input.files), this.tree.selectedFolder);
      input.value = "";
    });
  }

  #onDragOver(event) {
    if (!isFiles(event) || !this.mayWrite()) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    const { path } = this.tree.folderAt(event.target);
    this.dropzone.classList.add("over");
    setText(this.hint, path ? `Drop to upload into ${path}` : "Drop to upload into the root of the store");
  }

  async #onDrop(event) {
    if (!isFiles(event) || !this.mayWrite()) return;
    event.preventDefault();
    this.dropzone.classList.remove("over");
    const folder = this.tree.folderAt(event.target);
    await this.notices.attempt("What was dropped cannot be read", async () =>
      this.onFiles(await readDrop(event.dataTransfer), folder.parts),
    );
  }
}
