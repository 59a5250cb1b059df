/** What is set to go wrong. */

import { busy, button, element, keyed, setText } from "./dom.js";
import { count } from "./format.js";

export class FaultsPanel {
  #presets = [];

  constructor({ control, notices, parts }) {
    Object.assign(this, { control, notices, parts });
    const { presetForm, faultForm, preset, clear } = parts;
    preset.addEventListener("change", () => this.#explain());
    presetForm.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#set(event.submitter ?? presetForm, `preset=${preset.value}`);
    });
    faultForm.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { fault } = faultForm.elements;
      if (await this.#set(event.submitter ?? faultForm, fault.value.trim())) fault.value = "";
    });
    clear.addEventListener("click", () => this.#change(clear, () => control.delete("/faults")));
  }

  async refresh() {
    if (!this.#presets.length) {
      this.#presets = await this.control.get("/presets");
      const options = this.#presets.map(({ name }) => element("option", { value: name, textContent: name }));
      this.parts.preset.replaceChildren(...options);
      this.#explain();
    }
    this.#show(await this.control.get("/faults"));
  }

  #explain() {
    const chosen = this.#presets.find(({ name }) => name === this.parts.preset.value);
    const does = chosen?.does ?? "";
    setText(this.parts.does, does && `${does[0].toUpperCase()}${does.slice(1)}.`);
    this.parts.does.title = chosen?.source ?? "";
  }

  async #set(control, text) {
    const done = await this.#change(control, () => this.control.post("/faults", text));
    if (done) this.notices.say(`${count(done.length, "fault")} set.`);
    return done;
  }

  async #change(control, work) {
    return busy(control, () =>
      this.notices.attempt("The faults were not changed", async () => {
        const answer = await work();
        await this.refresh();
        return answer;
      }),
    );
  }

  #show(faults) {
    setText(this.parts.total, faults.length ? String(faults.length) : "");
    this.parts.empty.hidden = faults.length > 0;
    this.parts.clear.hidden = faults.length < 2;
    keyed(this.parts.list, faults, (each) => each.id, (each) => this.#make(each), update);
  }

  #make(fault) {
    return element(
      "li",
      {},
      element("span", { className: "grow" }, element("code", { textContent: fault.name }), element("span", { className: "quiet" })),
      button("Remove", (event) => this.#change(event.currentTarget, () => this.control.delete(`/faults/${fault.id}`)), {
        aria: { label: `Remove fault ${fault.name}` },
      }),
    );
  }
}

function update(shown, { hits, matched, is_over: isOver }) {
  shown.classList.toggle("over", isOver);
  const text = `hit ${hits} of ${count(matched, "request")}${isOver ? ", over" : ""}`;
  setText(shown.querySelector(".quiet"), text);
}
