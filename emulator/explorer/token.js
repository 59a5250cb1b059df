/** The control token, if the emulator wants one: asked for once, kept until the tab is closed. */

const KEY = "imagestore-explorer/token";

export class Token {
  #asking = null;

  constructor(dialog) {
    this.dialog = dialog;
  }

  get value() {
    return sessionStorage.getItem(KEY) ?? "";
  }

  get headers() {
    return this.value ? { Authorization: `Bearer ${this.value}` } : {};
  }

  /** Asks for a token in place of the one that was refused; false if the person would rather not say. */
  ask(refused) {
    if (refused !== this.value) {
      return Promise.resolve(true); // somebody was asked meanwhile
    }
    this.#asking ??= this.#ask(refused).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  #ask(refused) {
    const form = this.dialog.querySelector("form");
    const input = this.dialog.querySelector("input");
    this.dialog.querySelector("[data-refused]").hidden = !refused;
    input.value = "";
    this.dialog.showModal();
    return new Promise((resolve) => {
      form.onsubmit = (event) => {
        event.preventDefault();
        sessionStorage.setItem(KEY, input.value);
        this.dialog.close("given");
      };
      this.dialog.onclose = () => {
        const given = this.dialog.returnValue === "given";
        this.dialog.returnValue = "";
        resolve(given);
      };
    });
  }
}
