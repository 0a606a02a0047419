// Makes bookmarks.wasm of plugin.js: `npm install`, then `npm run build`.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { componentize } from "@bytecodealliance/componentize-js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { component } = await componentize({
  sourcePath: here("plugin.js"),
  witPath: here("../../../wit"),
  worldName: "plugin",
  // A plugin has no network. console.log goes to the gateway's log.
  disableFeatures: ["http", "fetch-event"],
});
await writeFile(here("bookmarks.wasm"), component);
console.log(`bookmarks.wasm: ${component.byteLength} bytes`);
