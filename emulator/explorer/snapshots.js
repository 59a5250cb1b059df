/** States of the store that were put aside. */

import { busy, button, element, keyed } from "./dom.js";
import { ask } from "./notices.js";

export class SnapshotsPanel {
  constructor({ control, notices, dialog, parts, onRestored }) {
    Object.assign(this, { control, notices, dialog, parts, onRestored });
    parts.form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { name } = parts.form.elements;
      if (await this.#save(event.submitter ?? parts.form, name.value.trim())) name.value = "";
    });
  }

  async refresh() {
    const names = await this.control.get("/snapshots");
    this.parts.empty.hidden = names.length > 0;
    keyed(this.parts.list, names, (name) => name, (name) => this.#make(name));
  }

  #make(name) {
    return element(
      "li",
      {},
      element("span", { className: "grow" }, element("bdi", { textContent: name, title: name })),
      button("Restore…", (event) => this.#restore(event.currentTarget, name), { aria: { label: `Restore ${name}` } }),
      button("Delete…", (event) => this.#delete(event.currentTarget, name), {
        className: "danger",
        aria: { label: `Delete ${name}` },
      }),
    );
  }

  async #save(control, name) {
    return busy(control, () =>
      this.notices.attempt(
        "The snapshot was not saved",
        async () => {
          await this.control.put(`/snapshots/${encodeURIComponent(name)}`);
          await this.refresh();
          return true;
        },
        `Saved as ${name}.`,
      ),
    );
  }

  async #restore(control, name) {
    const answer = await ask(this.dialog, {
      title: "Restore this snapshot?",
      text: `Content, upload sessions and time of this store will be those of ${name}. What it holds now is lost.`,
      action: "Restore",
      isDangerous: true,
    });
    if (!answer) return;
    const work = () => this.control.post(`/snapshots/${encodeURIComponent(name)}/restore`);
    await busy(control, () => this.notices.attempt("The snapshot was not restored", work, `${name} is restored.`));
    this.onRestored();
  }

  async #delete(control, name) {
    const answer = await ask(this.dialog, {
      title: "Delete this snapshot?",
      text: `${name} will be gone.`,
      action: "Delete",
      isDangerous: true,
    });
    if (!answer) return;
    await busy(control, () =>
      this.notices.attempt("The snapshot was not deleted", async () => {
        await this.control.delete(`/snapshots/${encodeURIComponent(name)}`);
        await this.refresh();
      }),
    );
  }
}
