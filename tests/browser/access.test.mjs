// The pages for everybody: by any means of reading, without JavaScript, by keyboard alone, on a small screen.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fits, isAccessible, isReachedByKeyboard, tabTo } from "./lib/checks.mjs";
import { signedIn, sitDown } from "./lib/desk.mjs";
import { SCREENS } from "./lib/screens.mjs";
import { stage } from "./lib/stage.mjs";

/** Paths of the pages that were held against the rules. */
const opened = new Set();
/** Paths to which a link or a form on one of them leads. */
const led = new Set();

for (const language of ["ja", "en"]) {
  for (const screen of SCREENS) {
    test(`${screen.name} is accessible (${language})`, async (t) => {
      const at = await stage();
      const page = await sitDown(t, at, { language, at: screen.at });
      await screen.open(page, at, t);
      assert.equal(await page.locator("html").getAttribute("lang"), language);
      opened.add(new URL(page.url()).pathname);
      for (const path of await leadsTo(page)) led.add(path);
      await isAccessible(page, screen.name);
      await isReachedByKeyboard(page, screen.name);
      // 320 is 1280 at 400 %, 640 at 200 %.
      for (const width of [320, 640]) await fits(page, width);
    });
  }
}

/** What a browser keeps as a file, or shows inside a page. */
const FILES = ["/disclosures/evidence", "/staffing/export", "/records/{id}/attachments/{attachment}"];

/** Where a page leads: by its links, and by its forms, whose answer may be a page. */
async function leadsTo(page) {
  const paths = await page.evaluate(() => [...document.querySelectorAll("a[href], form[action]")].map((element) => {
    const { pathname } = new URL(element.getAttribute("href") ?? element.getAttribute("action"), location.href);
    return pathname.replace(/\/begin$/, "");
  }));
  return paths.filter((path) => path !== new URL(page.url()).pathname);
}

/** Pages of the committed table that are not among these paths. */
function pagesWithout(paths) {
  const table = readFileSync(new URL("../tables/pages.txt", import.meta.url), "utf8");
  const pages = [...table.matchAll(/^GET (\S+)$/gm)].map(([, path]) => path);
  assert.ok(pages.length > 40);
  // Of several that fit, a path is that of the one with the fewest places for ids.
  pages.sort((one, other) => one.split("{").length - other.split("{").length);
  const fits = (page, path) => new RegExp(`^${page.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path);
  const there = new Set([...paths].map((path) => pages.find((page) => fits(page, path))));
  return pages.filter((page) => !there.has(page));
}

test("every page is among those that were held against the rules", () => {
  assert.deepEqual(pagesWithout(opened).sort(), FILES.sort());
});

test("to every page another one leads", () => {
  assert.deepEqual(pagesWithout(led), []);
});

for (const mode of [{ forcedColors: "active" }, { reducedMotion: "reduce" }, { contrast: "more" }]) {
  test(`the page of signing in is accessible with ${JSON.stringify(mode)}`, async (t) => {
    const page = await sitDown(t, await stage(), mode);
    await page.goto("/sign-in");
    await isAccessible(page);
  });
}

test("without JavaScript one signs in and out", async (t) => {
  const at = await stage();
  const page = await sitDown(t, at, { scripts: false });
  const person = at.person("city-a", "sato");
  await page.goto("/sign-in");
  await page.getByLabel("職員番号").fill(person.officer);
  await page.getByLabel("パスワード").fill(person.password);
  await page.getByLabel("認証アプリのコード").fill(await at.codeOf(person));
  await page.getByRole("button", { name: "サインインする" }).click();
  await page.getByRole("heading", { level: 1, name: "今日" }).waitFor();
  await page.getByRole("button", { name: "サインアウト" }).click();
  await page.getByRole("heading", { level: 1, name: "サインイン" }).waitFor();
});

test("by keyboard alone one signs in, skips to the content and signs out", async (t) => {
  const at = await stage();
  const page = await sitDown(t, at);
  const person = at.person("city-a", "sato");
  await page.goto("/sign-in");
  for (const [field, value] of [
    ["officer", person.officer], ["password", person.password], ["second_factor", await at.codeOf(person)],
  ]) {
    await tabTo(page, page.locator(`[name=${field}]`));
    await page.keyboard.type(value);
  }
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "今日" }).waitFor();
  await tabTo(page, page.locator("a.skip"));
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.goto("/");
  await tabTo(page, page.getByRole("button", { name: "サインアウト" }));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "サインイン" }).waitFor();
});

test("each page of the navigation is reached by keyboard alone", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "kato"));
  const links = page.locator("nav.parts a");
  const paths = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  for (const path of paths) {
    await page.goto("/");
    await tabTo(page, page.locator(`nav.parts a[href="${path}"]`));
    await page.keyboard.press("Enter");
    await page.waitForURL(`${at.origin}${path}`);
    assert.equal(await page.locator("nav.parts a[aria-current=page]").getAttribute("href"), path);
  }
});
