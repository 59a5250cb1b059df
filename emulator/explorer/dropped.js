/** Files and folders as browsers hand them over, from a drop or from a picker: `{file, parts}`, and the folders. */

function readAll(directory) {
  const reader = directory.createReader();
  const found = [];
  return new Promise((resolve, reject) => {
    const more = () =>
      reader.readEntries((entries) => {
        found.push(...entries);
        if (entries.length) more();
        else resolve(found);
      }, reject);
    more();
  });
}

function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function walk(entry, parents, found) {
  const parts = [...parents, entry.name];
  if (entry.isFile) {
    found.files.push({ file: await fileOf(entry), parts });
    return;
  }
  found.folders.push(parts);
  for (const each of await readAll(entry)) await walk(each, parts, found);
}

/** What was dropped. Its items are gone once the event is over, so they are taken before anything is waited for. */
export async function readDrop({ items, files }) {
  const found = { files: [], folders: [] };
  const entries = [...items].map((each) => each.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return readPicked(files);
  for (const each of entries) await walk(each, [], found);
  return found;
}

/** What was chosen with a picker for files, or for a folder. */
export function readPicked(chosen) {
  const files = [...chosen].map((file) => ({ file, parts: (file.webkitRelativePath || file.name).split("/") }));
  const folders = new Map();
  for (const { parts } of files) {
    for (let depth = 1; depth < parts.length; depth += 1) {
      const folder = parts.slice(0, depth);
      folders.set(folder.join("/"), folder);
    }
  }
  return { files, folders: [...folders.values()] };
}
