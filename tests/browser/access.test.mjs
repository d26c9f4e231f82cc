// The pages for everybody: by any means of reading, without JavaScript, by keyboard alone, on a small screen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fits, isAccessible, tabTo } from "./lib/checks.mjs";
import { signedIn, sitDown } from "./lib/desk.mjs";
import { SCREENS } from "./lib/screens.mjs";
import { stage } from "./lib/stage.mjs";

for (const language of ["ja", "en"]) {
  for (const screen of SCREENS) {
    test(`${screen.name} is accessible (${language})`, async (t) => {
      const at = await stage();
      const page = await sitDown(t, at, { language, at: screen.at });
      await screen.open(page, at, t);
      assert.equal(await page.locator("html").getAttribute("lang"), language);
      await isAccessible(page, screen.name);
      // 320 is 1280 at 400 %, 640 at 200 %.
      for (const width of [320, 640]) await fits(page, width);
    });
  }
}

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
