// Without the certificate of a desk there is no page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import https from "node:https";
import { test } from "node:test";
import { signedIn, sitDown } from "./lib/desk.mjs";
import { Stage, stage } from "./lib/stage.mjs";

/** The alert with which the gateway ends a connection, as TLS names it; nothing where it answers. */
async function alertFor(stage, terminal) {
  const files = terminal && stage.terminal(terminal);
  const own = files ? { cert: readFileSync(files.certificate), key: readFileSync(files.key) } : {};
  return new Promise((resolve) => {
    const asked = https.get(`${stage.origin}/sign-in`, { ...own, agent: false }, (answer) => {
      answer.resume();
      resolve(undefined);
    });
    asked.on("error", (error) => resolve(error.reason ?? error.code ?? error.message));
  });
}

for (const [name, at, alert] of [
  ["no certificate", null, /certificate required/],
  ["a certificate of another CA that has the same name", "stranger", /unknown ca|decrypt error/],
  ["a certificate whose day is over", "expired", /certificate expired/],
]) {
  test(`with ${name} there is no connection`, async (t) => {
    const stranger = await stage();
    assert.match(await alertFor(stranger, at), alert);
    const page = await sitDown(t, stranger, { at, quiet: false });
    // The gateway's alert comes after the handshake (TLS 1.3): Playwright ends the connection, or says why on a page.
    const failed = await page.goto("/sign-in").then(() => page.content(), (error) => error.message);
    assert.match(failed, /net::ERR_|Playwright client-certificate error/);
  });
}

test("a certificate that was revoked is refused at once, and makes no connection any more", async (t) => {
  const own = await Stage.own(t);
  own.terminals["desk-2"] = await own.ask({ do: "desk", party: "city-a", name: "desk-2" });
  assert.equal(await alertFor(own, "desk-2"), undefined);
  const page = await signedIn(t, own, { ...own.person("city-a", "sato"), desk: "desk-2" }, { quiet: false });
  await own.ask({ do: "revoke", desk: "desk-2" });
  assert.match(await alertFor(own, "desk-2"), /certificate revoked/);
  const answer = await page.goto("/").catch(() => undefined);
  assert.ok(answer === undefined || answer.status() === 401, "on the connection that was there");
  assert.ok(!(await page.content()).includes("佐藤 美和"));
});

for (const [language, words] of [["ja", "端末"], ["en", "terminal"]]) {
  test(`a terminal that nobody registered is told so (${language})`, async (t) => {
    const page = await sitDown(t, await stage(), { at: "unregistered", language });
    assert.equal((await page.goto("/sign-in")).status(), 401);
    assert.match((await page.locator("main").innerText()).toLowerCase(), new RegExp(words));
  });
}

test("at a machine of a case system nobody signs in", async (t) => {
  const page = await sitDown(t, await stage(), { at: "city-a" });
  assert.equal((await page.goto("/sign-in")).status(), 401);
});
