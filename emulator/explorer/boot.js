/**
 * Loads the page. Browsers drop requests when the network changes, which it does whenever a container starts; the page
 * is of no use without one of its parts, so it is loaded again then.
 */

const KEY = "imagestore-explorer/attempts";
const MOST = 6;
const PAUSE_MS = 400;

async function load() {
  if (!document.querySelector("link[rel=stylesheet]").sheet) throw new Error("the page has no style");
  await import("./app.js");
}

load().then(
  () => sessionStorage.removeItem(KEY),
  (error) => {
    const attempts = Number(sessionStorage.getItem(KEY)) + 1;
    sessionStorage.setItem(KEY, String(attempts));
    if (attempts < MOST) {
      setTimeout(() => location.reload(), PAUSE_MS);
      return;
    }
    sessionStorage.removeItem(KEY);
    document.querySelector("[data-part=connection]").textContent = `The page could not be loaded (${error.message}): try again`;
  },
);
