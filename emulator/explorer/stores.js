/** The stores of the server: each has a page of its own. */

import { DEFAULT_STORE, explorerOf } from "./address.js";
import { busy, button, element, keyed } from "./dom.js";
import { ask } from "./notices.js";

export class StoresPanel {
  constructor({ control, address, notices, dialog, parts }) {
    Object.assign(this, { control, address, notices, dialog, parts });
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#make(event.submitter ?? parts.form, parts.form.elements.name);
    });
  }

  async refresh() {
    const stores = await this.control.get("/stores");
    this.#show(stores.map(({ name }) => name));
  }

  #show(names) {
    keyed(this.parts.list, names, (name) => name, (name) => this.#row(name));
  }

  #row(name) {
    const isThis = name === this.address.store;
    const link = element("a", { href: explorerOf(this.address.server, name), textContent: name, title: name });
    if (isThis) link.setAttribute("aria-current", "page");
    const verb = name === DEFAULT_STORE ? "Empty" : "Drop";
    const drop = button(`${verb}…`, (event) => this.#drop(event.currentTarget, name), {
      className: "danger",
      aria: { label: `${verb} ${name}` },
    });
    const tag = element("span", { className: "tag", textContent: "this one", hidden: !isThis });
    return element("li", {}, element("span", { className: "grow" }, link, " ", tag), drop);
  }

  async #make(control, input) {
    const name = input.value.trim();
    await busy(control, () =>
      this.notices.attempt(
        "The store was not made",
        async () => {
          await this.control.put(`/stores/${encodeURIComponent(name)}`);
          await this.refresh();
          input.value = "";
        },
        `Store ${name} is there.`,
      ),
    );
  }

  async #drop(control, name) {
    const isDefault = name === DEFAULT_STORE;
    const answer = await ask(this.dialog, {
      title: isDefault ? "Empty the default store?" : `Drop store ${name}?`,
      text: "Its content, upload sessions, faults and journal will be gone.",
      action: isDefault ? "Empty" : "Drop",
      isDangerous: true,
    });
    if (!answer) return;
    await busy(control, () =>
      this.notices.attempt("The store was not dropped", async () => {
        await this.control.delete(`/stores/${encodeURIComponent(name)}`);
        if (name === this.address.store) location.assign(explorerOf(this.address.server, DEFAULT_STORE));
        else await this.refresh();
      }),
    );
  }
}
