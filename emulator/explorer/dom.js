/** Elements without markup: whatever is shown becomes text, never HTML. */

/** An element with properties, `aria` and `data` attributes, event listeners (`on`) and children. */
export function element(name, { aria = {}, data = {}, on = {}, ...properties } = {}, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  Object.entries(aria).forEach(([key, value]) => made.setAttribute(key === "role" ? key : `aria-${key}`, value));
  Object.assign(made.dataset, data);
  Object.entries(on).forEach(([event, listener]) => made.addEventListener(event, listener));
  made.append(...children);
  return made;
}

export function button(label, onClick, properties = {}) {
  return element("button", { type: "button", textContent: label, on: { click: onClick }, ...properties });
}

/** Sets a text, if it is another one: what is the same is not announced again, and not laid out again. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Makes the children of `container` those of `items`, in their order, keeping the element of each key, and with it
 * focus and selection. `make` makes an element for an item, `update` brings one up to date.
 */
export function keyed(container, items, keyOf, make, update = () => {}) {
  const before = new Map([...container.children].map((each) => [each.dataset.key, each]));
  let next = container.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const known = before.get(key);
    const shown = known ?? make(item);
    before.delete(key);
    shown.dataset.key = key;
    update(shown, item);
    if (shown === next) {
      next = next.nextElementSibling;
    } else {
      container.insertBefore(shown, next);
    }
  }
  before.forEach((each) => each.remove());
}

/** Runs `work` soon after it was asked for, never twice at once, and never more often than every so many ms. */
export function throttled(work, pause = 300) {
  let isWanted = false;
  let isRunning = false;
  const run = async () => {
    while (isWanted) {
      isWanted = false;
      await work();
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    isRunning = false;
  };
  return () => {
    isWanted = true;
    if (!isRunning) {
      isRunning = true;
      setTimeout(run, 50);
    }
  };
}

/** While work is done, its button says so and cannot be pressed again. */
export async function busy(control, work) {
  if (control.getAttribute("aria-busy") === "true") return undefined;
  control.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    control.removeAttribute("aria-busy");
  }
}
