/** What this page may do here, and what it says of the rest: who is asked decides that, and may decide anew. */

import { setText } from "./dom.js";

const READ_ONLY = "Your certificate is a user’s: you can see what is stored, and change nothing.";

export class Access {
  /**
   * `parts` are shown where the control API answers, and `knobs` can be used there; `uploading` is shown and `writing`
   * can be used where content may change.
   */
  constructor({ refused, parts, knobs, journalEmpty, readOnly, uploading, writing }) {
    Object.assign(this, { refused, parts, knobs, journalEmpty, readOnly, uploading, writing });
    this.journalText = journalEmpty.textContent;
    this.isControlled = true;
    this.isReadOnly = false;
    this.isGone = false;
  }

  /** Whether content may be uploaded, copied and deleted. */
  get mayWrite() {
    return !this.isReadOnly && !this.isGone;
  }

  /** The control API answers. */
  allow() {
    this.#show({ isControlled: true });
  }

  /** It refuses, and says why; what only fails in passing is no refusal. */
  refuse(error) {
    if (!error.status || error.isPassing) return;
    this.#show({ isControlled: false, isReadOnly: error.role === "user", why: error.message });
  }

  /** The store was dropped. */
  end(why) {
    this.isGone = true;
    this.#show({ isControlled: false, isReadOnly: this.isReadOnly, why });
  }

  #show({ isControlled, isReadOnly = false, why = "" }) {
    this.isControlled = isControlled;
    this.isReadOnly = isReadOnly;
    setText(this.refused, why);
    this.refused.hidden = isControlled;
    for (const each of this.parts) each.hidden = !isControlled;
    for (const each of this.knobs) each.disabled = !isControlled;
    setText(this.journalEmpty, isControlled ? this.journalText : "The journal is not to be had: see Test kit.");
    setText(this.readOnly, READ_ONLY);
    this.readOnly.hidden = !isReadOnly;
    for (const each of this.uploading) each.hidden = isReadOnly;
    for (const each of this.writing) each.disabled = !this.mayWrite;
  }
}
