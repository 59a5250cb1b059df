/** Numbers and times as people read them. */

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
const NUMBER = new Intl.NumberFormat("en");

export function count(number, one, many = `${one}s`) {
  return `${NUMBER.format(number)} ${number === 1 ? one : many}`;
}

export function bytes(number) {
  if (number < 1024) return count(number, "byte");
  let rest = number;
  let unit = 0;
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${rest.toFixed(rest < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

/** `m:ss`, or `h:mm:ss`. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const rest = two(seconds % 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
}

/** `YYYY-MM-DD hh:mm:ss` of a moment in UTC, which is what everything the service says is in. */
export function moment(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString().slice(0, 19).replace("T", " ");
}

export function timeOfDay(time) {
  return new Date(time).toISOString().slice(11, 23);
}

/** What is wrong, in a sentence. */
export function words(error) {
  return error.message || String(error);
}
