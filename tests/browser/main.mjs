// All tests in one process: they share a browser and a stage, and what stands alone opens its own.
import { readdirSync } from "node:fs";
import { after } from "node:test";
import { closeBrowser } from "./lib/desk.mjs";
import { closeStages } from "./lib/stage.mjs";

const only = process.argv.slice(2);
const files = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".test.mjs"));
const wanted = files.filter((file) => only.length === 0 || only.some((word) => file.startsWith(word)));
if (wanted.length === 0) {
  throw new Error(`no file of tests begins with ${only.join(" or ")}`);
}
for (const file of wanted.sort()) {
  await import(`./${file}`);
}

after(async () => {
  await closeBrowser();
  await closeStages();
});
