/** The bytes of a file as a bar: received, in flight, missing; each told apart by more than its colour. */

import { element } from "./dom.js";
import { bytes, count } from "./format.js";

const FINEST = 400;

/** Ranges `[start, end]`, both inclusive, joined where no eye could see a gap between them. */
function joined(ranges, size) {
  const smallest = size / FINEST;
  const found = [];
  for (const [start, end] of [...ranges].sort((one, other) => one[0] - other[0])) {
    const last = found.at(-1);
    if (last && start - last[1] <= Math.max(1, ranges.length > FINEST ? smallest : 1)) {
      last[1] = Math.max(last[1], end);
    } else {
      found.push([start, end]);
    }
  }
  return found;
}

function total(ranges) {
  return ranges.reduce((sum, [start, end]) => sum + end - start + 1, 0);
}

function inWords(name, ranges) {
  const shown = ranges.slice(0, 5).map(([start, end]) => `${start} to ${end}`);
  if (ranges.length > shown.length) shown.push(`and ${ranges.length - shown.length} more`);
  return shown.length ? `${name} ${shown.join(", ")}` : "";
}

export function rangeBar() {
  return element("div", { className: "bar", aria: { role: "img", label: "" } });
}

/** Draws `{received, inFlight}` of a file of `size` bytes. */
export function drawRanges(bar, { size, received, inFlight, missing }) {
  const parts = [
    ...joined(received, size).map((range) => ["received", range]),
    ...joined(inFlight, size).map((range) => ["in-flight", range]),
  ];
  while (bar.children.length > parts.length) bar.lastElementChild.remove();
  while (bar.children.length < parts.length) bar.append(element("span"));
  parts.forEach(([kind, [start, end]], number) => {
    const part = bar.children[number];
    part.className = kind;
    part.style.setProperty("left", `${(100 * start) / size}%`);
    part.style.setProperty("width", `${(100 * (end - start + 1)) / size}%`);
  });
  const told = [inWords("received", received), inWords("in flight", inFlight), inWords("missing", missing)];
  const label = `Bytes ${told.filter(Boolean).join("; ")}`;
  if (bar.getAttribute("aria-label") !== label) bar.setAttribute("aria-label", label);
}

/** The same in a line. */
export function describeRanges({ size, received, inFlight, missing }) {
  const has = total(received);
  const percent = size ? Math.floor((100 * has) / size) : 100;
  const lacks = missing.length ? `${bytes(total(missing))} missing in ${count(missing.length, "range")}` : "complete";
  const flying = inFlight.length ? `, ${count(inFlight.length, "chunk")} in flight` : "";
  return `${percent}% of ${bytes(size)} received, ${lacks}${flying}`;
}
