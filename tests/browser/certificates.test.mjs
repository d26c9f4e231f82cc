// Without the certificate of a desk there is no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { signedIn, sitDown } from "./lib/desk.mjs";
import { Stage, stage } from "./lib/stage.mjs";

/** What becomes of asking for the page of signing in: the connection fails, or somebody answers. */
async function ask(page) {
  const response = await page.goto("/sign-in").catch((error) => error);
  if (response instanceof Error) return { failed: response.message };
  const isPlaywrights = (await page.content()).includes("Playwright client-certificate error");
  return isPlaywrights ? { failed: await page.locator("body").innerText() } : { status: response.status() };
}

for (const [name, at, words] of [
  ["no certificate", null, /certificate|ERR_|alert/i],
  ["a certificate of another CA", "stranger", /certificate|ERR_|alert/i],
  ["a certificate whose day is over", "expired", /certificate|ERR_|alert/i],
]) {
  test(`with ${name} there is no connection`, async (t) => {
    const page = await sitDown(t, await stage(), { at, quiet: false });
    const { failed, status } = await ask(page);
    assert.equal(status, undefined);
    t.diagnostic(failed);
    assert.match(failed, words);
  });
}

test("with a certificate that was revoked there is no connection any more", async (t) => {
  const own = await Stage.own(t);
  own.terminals["desk-2"] = await own.ask({ do: "desk", party: "city-a", name: "desk-2" });
  const person = { ...own.person("city-a", "sato"), desk: "desk-2" };
  const page = await signedIn(t, own, person, { quiet: false });
  await own.ask({ do: "revoke", desk: "desk-2" });
  const { failed, status } = await ask(page);
  assert.ok(failed || status === 401 || status === 403, `${status}`);
  const anew = await sitDown(t, own, { at: "desk-2", quiet: false });
  const again = await ask(anew);
  assert.ok(again.failed, "no new connection");
  t.diagnostic(`on the old connection ${failed ?? status}; on a new one ${again.failed}`);
});

for (const [language, words] of [["ja", "端末"], ["en", "terminal"]]) {
  test(`a terminal that nobody registered is told so (${language})`, async (t) => {
    const page = await sitDown(t, await stage(), { at: "unregistered", language });
    assert.equal((await page.goto("/sign-in")).status(), 403);
    assert.match((await page.locator("main").innerText()).toLowerCase(), new RegExp(words));
  });
}

test("at a machine of a case system nobody signs in", async (t) => {
  const page = await sitDown(t, await stage(), { at: "city-a" });
  assert.equal((await page.goto("/sign-in")).status(), 403);
});
