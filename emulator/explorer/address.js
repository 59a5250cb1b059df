/** Which store this page is about, and where its own address says that everything else is. */

const OWN = "/Explorer";
const ON = "/_emulator/on/";
const LOCAL = ".localhost";

export const DEFAULT_STORE = "default";

/** What stands before `/Explorer` in a path: the store's endpoint, a proxy's prefix included. */
function endpointOf(path) {
  const end = path.lastIndexOf(`${OWN}/`);
  return end < 0 ? path.replace(/\/[^/]*$/, "") : path.slice(0, end);
}

/** Reads an address as `{endpoint, server, store}`; the first two are paths without a slash at their end. */
export function readAddress({ pathname, hostname }) {
  const endpoint = endpointOf(pathname);
  const at = endpoint.lastIndexOf(ON);
  if (at >= 0) {
    return { endpoint, server: endpoint.slice(0, at), store: endpoint.slice(at + ON.length) };
  }
  const store = hostname.endsWith(LOCAL) ? hostname.slice(0, -LOCAL.length) : DEFAULT_STORE;
  return { endpoint, server: endpoint, store };
}

/** The Explorer of another store of the same server, or of the same one. */
export function explorerOf(server, store) {
  return `${server}${ON}${encodeURIComponent(store)}${OWN}/`;
}
