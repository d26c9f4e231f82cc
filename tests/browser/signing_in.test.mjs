// Signing in and out, and what becomes of a session.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isNotKept } from "./lib/checks.mjs";
import { fill, send, signIn, signOut, signedIn, sitDown } from "./lib/desk.mjs";
import { Stage, stage } from "./lib/stage.mjs";

const SESSION = "__Host-tsunagi-session";

const cookies = (page) => page.context().cookies();
const session = async (page) => (await cookies(page)).find((cookie) => cookie.name === SESSION);
const path = (page) => new URL(page.url()).pathname;

/** What a page says, without what differs from one time to the next. */
const said = async (page) => (await page.locator("main").innerText()).replaceAll(/\s+/g, " ");

test("who signs in sees where they are, as whom, and signs out again", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  const bar = page.locator("header.bar");
  for (const words of ["佐藤 美和", "ケースワーカー", "city-a-desk 窓口"]) {
    await bar.getByText(words).first().waitFor();
  }
  await signOut(page);
  assert.equal(await session(page), undefined);
  await page.goto("/");
  assert.equal(path(page), "/sign-in");
});

test("every party signs in at its desk", async (t) => {
  const at = await stage();
  for (const [party, officer] of [
    ["city-b", "tanaka"],
    ["center-a", "suzuki"],
    ["center-far", "ito"],
    ["prefecture", "hayashi"],
    ["ministry", "nagai"],
    ["operator", "chair1"],
  ]) {
    await signedIn(t, at, at.person(party, officer));
  }
});

test("a wrong password and an id of nobody get the same answer", async (t) => {
  const at = await stage();
  const page = await sitDown(t, at);
  const person = at.person("city-a", "sato");
  const wrong = { ...person, password: "machigatta password desu" };
  assert.equal((await signIn(page, at, wrong, { code: "123456" })).status(), 401);
  const answer = await said(page);
  assert.equal((await signIn(page, at, { ...wrong, officer: "dare-mo" }, { code: "123456" })).status(), 401);
  assert.equal(await said(page), answer);
  assert.equal(await page.locator("[name=officer]").inputValue(), "dare-mo", "the id is still there");
  for (const secret of ["password", "second_factor"]) {
    assert.equal(await page.locator(`[name=${secret}]`).inputValue(), "", "no page repeats a secret");
  }
  assert.equal(await session(page), undefined);
});

/** A code that was used is refused. */
async function aCodeWorksOnce(t, at) {
  const person = at.person("city-a", "mori");
  const code = await at.codeOf(person);
  const page = await sitDown(t, at);
  assert.equal((await signIn(page, at, person, { code })).status(), 303);
  await signOut(page);
  const again = await signIn(page, at, person, { code });
  assert.equal(again.status(), 401, "a code works once");
  assert.equal(await session(page), undefined);
}

test("a code of the device works once", async (t) => aCodeWorksOnce(t, await stage()));

test("a gateway that takes a code twice is noticed", async (t) => {
  const twin = await Stage.own(t, { defects: ["accept-replays"] });
  await assert.rejects(aCodeWorksOnce(t, twin), /a code works once/);
});

test("a session that somebody else chose is not kept", async (t) => {
  const at = await stage();
  const page = await sitDown(t, at);
  const chosen = { name: SESSION, value: "chosen-by-somebody-else", secure: true, httpOnly: true, sameSite: "Strict" };
  await page.context().addCookies([{ ...chosen, url: at.origin }]);
  await page.goto("/");
  const before = await cookies(page);
  assert.equal((await signIn(page, at, at.person("city-a", "sato"))).status(), 303);
  const own = await session(page);
  assert.ok(own && own.value !== chosen.value, "the session is new");
  for (const { name, value } of before) {
    assert.ok(!(await cookies(page)).some((cookie) => cookie.value === value), `${name} from before is gone`);
  }
  await signOut(page);
  await page.context().addCookies([{ ...chosen, value: own.value, url: at.origin }]);
  await page.goto("/");
  assert.equal(path(page), "/sign-in", "who signed out stays out");
});

test("one signs in where an old session is still in the browser", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  await page.goto("/sign-in");
  assert.equal((await signIn(page, at, at.person("city-a", "kato"))).status(), 303);
  await page.locator("header.bar").getByText("加藤 恒一").waitFor();
});

test("the session is out of reach of scripts, and goes to nobody else", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  const { domain, path: where, secure, httpOnly, sameSite, expires } = await session(page);
  assert.deepEqual({ domain, where, secure, httpOnly, sameSite, expires }, {
    domain: "localhost", where: "/", secure: true, httpOnly: true, sameSite: "Strict", expires: -1,
  });
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
});

test("a session is worth nothing at another desk", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  const { value } = await session(page);
  const elsewhere = await sitDown(t, at, { at: "city-b-desk" });
  await elsewhere.context().addCookies([
    { name: SESSION, value, url: at.origin, secure: true, httpOnly: true, sameSite: "Strict" },
  ]);
  await elsewhere.goto("/");
  assert.equal(path(elsewhere), "/sign-in");
});

test("who asks for a page without a session is led back to it, and never elsewhere", async (t) => {
  const at = await stage();
  const person = at.person("city-a", "sato");
  const page = await sitDown(t, at);
  await page.goto("/second-factor");
  assert.equal(new URL(page.url()).search, "?next=/second-factor");
  await fill(page, { officer: person.officer, password: person.password, second_factor: await at.codeOf(person) });
  await send(page);
  assert.equal(path(page), "/second-factor");
  const elsewhere = ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)"];
  for (const next of elsewhere) {
    const other = await sitDown(t, at);
    const answer = await signIn(other, at, person, { path: `/sign-in?next=${encodeURIComponent(next)}` });
    assert.equal(answer.headers().location, "/", next);
    assert.equal(other.url(), `${at.origin}/`, next);
  }
});

test("a session that stood idle is over, and what is sent then is not done", async (t) => {
  const own = await Stage.own(t);
  const person = own.person("city-a", "sato");
  const page = await signedIn(t, own, person);
  await own.advance(31 * 60);
  await page.locator("form[action='/sign-out'] button").click();
  await page.getByText("送信された内容は処理されていません").waitFor();
  await page.goto("/");
  assert.equal(path(page), "/sign-in");
  assert.equal((await signIn(page, own, person)).status(), 303);
});

test("after signing out the back button shows nothing of what was seen", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  await signOut(page);
  await page.goBack();
  assert.equal(path(page), "/sign-in");
  assert.ok(!(await page.content()).includes("佐藤 美和"));
});

test("no page is kept, and style is kept for ever under its name", async (t) => {
  const at = await stage();
  const page = await sitDown(t, at);
  const styles = [];
  page.on("response", (response) => response.request().resourceType() === "stylesheet" && styles.push(response));
  isNotKept(await page.goto("/sign-in"));
  isNotKept(await signIn(page, at, at.person("city-a", "sato"), { code: "000000" }));
  isNotKept(await signIn(page, at, at.person("city-a", "sato")));
  for (const shown of ["/", "/enrol", "/second-factor", "/no-such-page"]) {
    isNotKept(await page.goto(shown));
  }
  assert.ok(styles.length > 0);
  for (const style of styles) {
    assert.equal(style.headers()["cache-control"], "private, max-age=31536000, immutable");
    assert.match(style.url(), /\/static\/tsunagi-[0-9a-f]{16}\.css$/);
  }
});

test("every page forbids what no page needs", async (t) => {
  const at = await stage();
  const page = await sitDown(t, at);
  for (const shown of ["/sign-in", "/enrol", "/no-such-page"]) {
    const headers = (await page.goto(shown)).headers();
    for (const words of ["default-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]) {
      assert.ok(headers["content-security-policy"].includes(words), `${shown}: ${words}`);
    }
    assert.equal(headers["x-content-type-options"], "nosniff");
  }
});

test("a password is changed on the way in", async (t) => {
  const own = await Stage.own(t);
  const person = own.person("city-a", "abe");
  const page = await sitDown(t, own);
  const changed = "atarashii himitsu no kotoba";
  await page.goto("/sign-in?renew=1");
  const fields = { officer: person.officer, password: person.password };
  await fill(page, { ...fields, second_factor: await own.codeOf(person), new_password: "password1234" });
  assert.equal((await send(page)).status(), 422);
  await fill(page, { ...fields, second_factor: await own.codeOf(person), new_password: changed });
  assert.equal((await send(page)).status(), 303);
  await signOut(page);
  assert.equal((await signIn(page, own, person)).status(), 401);
  assert.equal((await signIn(page, own, { ...person, password: changed })).status(), 303);
});
