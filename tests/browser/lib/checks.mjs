// What every page is held against.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { AxeBuilder } from "@axe-core/playwright";

// The rules themselves come with @axe-core/playwright.
const axe = createRequire(createRequire(import.meta.url).resolve("@axe-core/playwright"))("axe-core");

/** WCAG 2.2 level AA, and with it A and the earlier versions; and what axe-core calls best practice. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];
/** Every rule with one of these tags, those too that axe-core leaves off unless it is asked for them. */
const RULES = axe.getRules(TAGS).map((rule) => rule.ruleId);

/** Asserts that axe-core finds nothing wrong with the page as it is shown. */
export async function isAccessible(page, what = page.url()) {
  const { violations, passes } = await new AxeBuilder({ page }).withRules(RULES).analyze();
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, [], `${what} is accessible`);
  assert.ok(passes.length > 10, `${what} was looked at`);
}

/** Asserts that nothing has to be scrolled sideways at this width (WCAG 1.4.10; 320 CSS pixels are 1280 at 400 %). */
export async function fits(page, width) {
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 800 });
  const needed = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.setViewportSize(before);
  assert.ok(needed <= width, `${page.url()} needs ${needed} of ${width} pixels`);
}

/** Asserts that Tab leads through everything that a person can use, and that one sees each time where the focus is. */
export async function isReachedByKeyboard(page, what = page.url()) {
  await page.evaluate(() => {
    const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
    const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")];
    // Of the buttons of a choice the one that is pressed is reached, and arrows lead to the others.
    const chosen = new Map();
    for (const one of all.filter((element) => element.type === "radio")) {
      if (one.checked || !chosen.has(one.name)) chosen.set(one.name, one);
    }
    const isOwnStop = (element) => element.type !== "radio" || chosen.get(element.name) === element;
    window.left = new Set(all.filter((element) => !element.disabled && isShown(element) && isOwnStop(element)));
    document.activeElement?.blur();
  });
  const most = 2 * (await page.evaluate(() => window.left.size)) + 20;
  for (let pressed = 0; pressed < most; pressed += 1) {
    await page.keyboard.press("Tab");
    const { left, unseen } = await page.evaluate(() => {
      const focused = document.activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(focused);
      const isSeen = (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
      window.left.delete(focused);
      const unseen = isSeen || focused === document.body ? "" : focused.outerHTML.slice(0, 120);
      return { left: window.left.size, unseen };
    });
    assert.equal(unseen, "", `${what}: one sees where the focus is`);
    if (left === 0) return;
  }
  const left = await page.evaluate(() => [...window.left].map((element) => element.outerHTML.slice(0, 120)));
  assert.deepEqual(left, [], `${what}: Tab leads to everything`);
}

/** Presses Tab until an element has the focus, and asserts that one sees where the focus is on the way. */
export async function tabTo(page, locator) {
  const wanted = await locator.elementHandle();
  for (let pressed = 0; pressed < 80; pressed += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate((element) => {
      const focused = document.activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(focused);
      const isSeen = (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
      return { isWanted: focused === element, isSeen, html: focused.outerHTML.slice(0, 120), tag: focused.tagName };
    }, wanted);
    assert.ok(at.isSeen || at.tag === "BODY", `one sees the focus at ${at.html}`);
    if (at.isWanted) return;
  }
  assert.fail(`Tab does not lead to ${locator}`);
}

/** Asserts that a page is kept by nothing between browser and gateway, nor by the browser. */
export function isNotKept(response) {
  assert.match(response.headers()["cache-control"] ?? "", /no-store/, response.url());
}
