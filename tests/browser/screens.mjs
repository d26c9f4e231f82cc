// Draws the pages: `node run.mjs --screens docs/screens`, or only those whose name begins with a word behind it. On a
// desk's screen in Japanese; the first page of each kind in English too, and on a small screen.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { test, after } from "node:test";
import { closeBrowser, sitDown } from "./lib/desk.mjs";
import { SCREENS } from "./lib/screens.mjs";
import { closeStages, stage } from "./lib/stage.mjs";

const [where = "docs/screens", ...only] = process.argv.slice(2);
const directory = resolve(where);
mkdirSync(directory, { recursive: true });

const VARIANTS = [
  { suffix: "", language: "ja", viewport: { width: 1280, height: 900 } },
  { suffix: "-en", language: "en", viewport: { width: 1280, height: 900 } },
  { suffix: "-small", language: "ja", viewport: { width: 390, height: 844 } },
];

for (const screen of SCREENS) {
  if (only.length > 0 && !only.some((word) => screen.name.startsWith(word))) continue;
  for (const { suffix, language, viewport } of VARIANTS) {
    test(`${screen.name}${suffix}.png`, async (t) => {
      const at = await stage();
      const page = await sitDown(t, at, { at: screen.at, language, viewport });
      await screen.open(page, at, t);
      const path = join(directory, `${screen.name}${suffix}.png`);
      await page.screenshot({ path, fullPage: true, animations: "disabled" });
    });
  }
}

after(async () => {
  await closeBrowser();
  await closeStages();
});
