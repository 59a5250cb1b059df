/** What the page has to say, and what it has to ask first. */

import { button, element } from "./dom.js";
import { words } from "./format.js";

const SHOWN_MS = 5000;

export class Notices {
  constructor(statuses, alerts) {
    this.statuses = statuses;
    this.alerts = alerts;
  }

  /** Something is done: goes away by itself. */
  say(text) {
    const shown = element("p", { textContent: text });
    this.statuses.replaceChildren(shown);
    setTimeout(() => shown.remove(), SHOWN_MS);
  }

  /** Something failed: stays until it was read. */
  fail(what, error) {
    if (error?.name === "AbortError") return;
    const text = error ? `${what}: ${words(error)}` : what;
    const same = [...this.alerts.children].find((each) => each.firstElementChild.textContent === text);
    same?.remove();
    const shown = element("div", {}, element("p", { textContent: text }));
    shown.append(button("Dismiss", () => shown.remove()));
    this.alerts.prepend(shown);
    while (this.alerts.children.length > 3) this.alerts.lastElementChild.remove();
  }

  /** Does it, and says how it went. */
  async attempt(what, work, done = "") {
    try {
      const result = await work();
      if (done) this.say(done);
      return result;
    } catch (error) {
      this.fail(what, error);
      return undefined;
    }
  }
}

/** Asks in a modal dialog; its form has the buttons. Answers with the form's values, or with `null` for no. */
export function ask(dialog, { title, text, action, isDangerous = false, fields = [], note = "" }) {
  const values = new Map();
  const inputs = fields.map(({ name, label, value }) => {
    const input = element("input", { type: "text", name, value, required: true, autocomplete: "off", spellcheck: false });
    values.set(name, input);
    return element("label", { className: "field" }, element("span", { textContent: label }), input);
  });
  const confirm = element("button", { type: "submit", value: "yes", textContent: action });
  confirm.className = isDangerous ? "danger" : "primary";
  const cancel = button("Cancel", () => dialog.close("no"));
  const heading = element("h2", { id: "ask-title", textContent: title });
  const said = [text, note].filter(Boolean).map((each) => element("p", { textContent: each }));
  const buttons = element("div", { className: "buttons" }, cancel, confirm);
  const form = element("form", { method: "dialog" }, heading, ...said, ...inputs, buttons);
  dialog.replaceChildren(form);
  dialog.returnValue = "no";
  dialog.showModal();
  const [first] = values.values();
  (first ?? cancel).focus(); // a dangerous thing is never one blind key press away
  first?.select();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      const answer = Object.fromEntries([...values].map(([name, input]) => [name, input.value.trim()]));
      resolve(dialog.returnValue === "yes" ? answer : null);
    };
  });
}
