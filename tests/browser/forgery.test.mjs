// Another site would have a browser send a form here. Three guards stand beside each other: cookies that go with no
// other site's form, where a browser says that a form comes from, and a token in each form.
import assert from "node:assert/strict";
import { test } from "node:test";
import { signedIn } from "./lib/desk.mjs";
import { formTo, ofAnotherPort, ofAnotherSite } from "./lib/elsewhere.mjs";
import { Stage, stage } from "./lib/stage.mjs";

const COOKIES = "lax-cookies";
const ORIGIN = "believe-any-origin";
const TOKEN = "believe-any-token";
/** What is sent: it needs no more than a session, and one sees whether it was done. */
const ACT = "/sign-out";

const token = (page) => page.locator(`form[action='${ACT}'] [name=form_token]`).inputValue();

/** Opens a page of somebody else in a browser; returns what the gateway answered to its form. */
async function lure(page, address) {
  const other = await page.context().newPage();
  const answered = other.waitForResponse((response) => response.url().endsWith(ACT));
  await other.goto(address, { waitUntil: "commit" });
  return answered;
}

async function isStillSignedIn(page) {
  await page.goto("/");
  return new URL(page.url()).pathname === "/";
}

/** Another site's form is sent without the session. */
async function noCookieGoesWithAnotherSitesForm(t, at) {
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  const response = await lure(page, await ofAnotherSite(t, formTo(at.origin + ACT)));
  const { cookie = "" } = await response.request().allHeaders();
  assert.ok(!cookie.includes("tsunagi-session"), "no cookie goes with another site's form");
}

/** A form of another port is refused, though cookies go with it and its token is right. */
async function anotherOriginsFormIsRefused(t, at) {
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  const stolen = await ofAnotherPort(t, at, formTo(at.origin + ACT, { form_token: await token(page) }));
  const response = await lure(page, stolen);
  const { cookie = "" } = await response.request().allHeaders();
  assert.ok(cookie.includes("tsunagi-session"), "to a browser it is of the same site");
  assert.equal(response.status(), 403, "another origin's form is refused");
  assert.ok(await isStillSignedIn(page));
}

/** A form of a page of ours is refused when its token is not of this session. */
async function aFormWithAnotherTokenIsRefused(t, at) {
  const mine = await signedIn(t, at, at.person("city-a", "sato"));
  const theirs = await signedIn(t, at, at.person("city-a", "kato"));
  const foreign = await token(theirs);
  for (const value of [foreign, "", "x"]) {
    await mine.goto("/");
    await mine.locator(`form[action='${ACT}'] [name=form_token]`).evaluate((field, text) => {
      field.value = text;
    }, value);
    const answered = mine.waitForResponse((response) => response.url().endsWith(ACT));
    await mine.locator(`form[action='${ACT}'] button`).click();
    assert.equal((await answered).status(), 403, "a form with another token is refused");
    assert.ok(await isStillSignedIn(mine));
  }
}

for (const [name, story, guard, words] of [
  ["no cookie goes with another site's form", noCookieGoesWithAnotherSitesForm, COOKIES, /no cookie goes/],
  ["another origin's form is refused though cookie and token are right", anotherOriginsFormIsRefused, ORIGIN, /403/],
  ["a form is refused whose token is not of the session", aFormWithAnotherTokenIsRefused, TOKEN, /403/],
]) {
  test(name, async (t) => story(t, await stage()));

  test(`${name}: without its guard that is noticed`, async (t) => {
    const twin = await Stage.own(t, { defects: [guard] });
    await assert.rejects(story(t, twin), words);
  });
}

/** Whether another site's form is refused by a gateway without these guards; with which status. */
async function refusal(t, defects) {
  const at = await Stage.own(t, { defects });
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  const response = await lure(page, await ofAnotherSite(t, formTo(at.origin + ACT, { form_token: "guessed" })));
  return { status: response.status(), held: await isStillSignedIn(page) };
}

test("each guard alone refuses another site's form, and without any it is taken", async (t) => {
  const alone = [[COOKIES, 401, [ORIGIN, TOKEN]], [ORIGIN, 403, [COOKIES, TOKEN]], [TOKEN, 403, [COOKIES, ORIGIN]]];
  for (const [guard, status, without] of alone) {
    assert.deepEqual(await refusal(t, without), { status, held: true }, `${guard} alone`);
  }
  assert.deepEqual(await refusal(t, [COOKIES, ORIGIN, TOKEN]), { status: 303, held: false }, "none of them");
});

test("no page of ours is shown in a frame of somebody else", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"), { quiet: false });
  const frame = await ofAnotherSite(t, `<!DOCTYPE html><title>Frame</title><iframe src="${at.origin}/"></iframe>`);
  const other = await page.context().newPage();
  const refused = other.waitForEvent("console", (message) => /frame/i.test(message.text()));
  await other.goto(frame);
  await refused;
  for (const inner of other.frames().slice(1)) {
    assert.ok(!(await inner.content()).includes("つなぎ"));
  }
});
