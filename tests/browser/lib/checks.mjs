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
