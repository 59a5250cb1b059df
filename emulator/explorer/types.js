/** The application types that are registered, where the emulator keeps such. */

import { element, keyed, setText } from "./dom.js";

const UNDER_WAY = /ing$/;
const LOOK_AGAIN_MS = 1000;

export class TypesPanel {
  #exist = null;
  #timer = 0;

  constructor({ service, part, list, empty }) {
    Object.assign(this, { service, part, list, empty });
  }

  async refresh() {
    if (this.#exist === false) return;
    const types = await this.service.applicationTypes();
    this.#exist = types !== null;
    this.part.hidden = !this.#exist;
    if (!types) return;
    this.empty.hidden = types.length > 0;
    keyed(this.list, types, ({ Name, Version }) => `${Name} ${Version}`, make, update);
    clearTimeout(this.#timer);
    if (types.some(({ Status }) => UNDER_WAY.test(Status))) {
      this.#timer = setTimeout(() => this.refresh().catch(() => {}), LOOK_AGAIN_MS); // no request tells when it is done
    }
  }
}

function make({ Name, Version }) {
  const name = element("bdi", { textContent: `${Name} ${Version}` });
  const parameters = element("span", { className: "quiet" });
  return element("li", {}, element("span", { className: "grow" }, name, parameters), element("span", { className: "tag" }));
}

function update(shown, { Status, StatusDetails, DefaultParameterList = [] }) {
  const parameters = DefaultParameterList.map(({ Key, Value }) => `${Key}=${Value}`).join(", ");
  setText(shown.querySelector(".quiet"), [StatusDetails, parameters].filter(Boolean).join("; "));
  setText(shown.querySelector(".tag"), Status ?? "");
  shown.querySelector(".tag").classList.toggle("good", Status === "Available");
  shown.querySelector(".tag").classList.toggle("bad", Status === "Failed");
}
