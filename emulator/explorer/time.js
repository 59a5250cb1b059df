/** The store's time between two looks at its clock. */

export class StoreTime {
  #seen = Date.now();
  #at = performance.now();
  #rate = 1;

  take({ now, rate }) {
    this.#seen = Date.parse(now);
    this.#at = performance.now();
    this.#rate = rate;
  }

  /** Milliseconds since 1970. */
  now() {
    return this.#seen + this.#rate * (performance.now() - this.#at);
  }
}
