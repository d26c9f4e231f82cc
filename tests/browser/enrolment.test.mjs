// The first time: with a code that was handed out a person sets a password and has a device take a secret in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, send, signIn, sitDown } from "./lib/desk.mjs";
import { STEP_SECONDS } from "./lib/totp.mjs";
import { Stage } from "./lib/stage.mjs";

const PASSWORD = "hajimete no himitsu no kotoba";

const secrets = (page) => page.locator("code.secret").allInnerTexts();
const recoveryCodes = (page) => page.locator("ol.codes code").allInnerTexts();

for (const scripts of [true, false]) {
  test(`with a code one sets up what one signs in with${scripts ? "" : ", without JavaScript"}`, async (t) => {
    const own = await Stage.own(t);
    const invited = { do: "invite", party: "city-a", officer: "ueda", name: "上田 葵", roles: ["caseworker"] };
    const { code } = await own.ask(invited);
    const page = await sitDown(t, own, { scripts });
    await page.goto("/sign-in");
    await page.getByRole("link", { name: "初めて利用する" }).click();
    await fill(page, { code, officer: "ueda" });
    assert.equal((await send(page)).status(), 200);
    assert.equal(await page.locator(".qr svg").count(), 1);
    assert.equal(await page.locator("[name=name]").count(), 0, "the name of whom was invited is known");
    const [secret] = await secrets(page);
    const shown = await own.codeNow(secret);
    await fill(page, { new_password: PASSWORD, repeated_password: `${PASSWORD}!`, second_factor: shown });
    assert.equal((await send(page)).status(), 422);
    assert.equal(await page.locator("[name=repeated_password]").getAttribute("aria-invalid"), "true");
    await fill(page, { new_password: PASSWORD, repeated_password: PASSWORD, second_factor: await own.codeNow(secret) });
    assert.equal((await send(page)).status(), 200);
    const codes = await recoveryCodes(page);
    assert.equal(new Set(codes).size, 8);
    await page.getByRole("link", { name: "保管した" }).click();
    // The code of this step was used just now.
    await own.advance(STEP_SECONDS);
    const person = { officer: "ueda", password: PASSWORD };
    assert.equal((await signIn(page, own, person, { code: await own.codeNow(secret) })).status(), 303);
    await page.locator("header.bar").getByText("上田 葵").waitFor();
    const lost = await sitDown(t, own, { scripts });
    assert.equal((await signIn(lost, own, person, { code: codes[0] })).status(), 303);
    const again = await sitDown(t, own, { scripts });
    assert.equal((await signIn(again, own, person, { code: codes[0] })).status(), 401, "each code stands in once");
  });
}

test("a wrong code sets up nothing, and says so beside the form", async (t) => {
  const own = await Stage.own(t);
  const page = await sitDown(t, own);
  await page.goto("/enrol");
  await fill(page, { code: "AAAA-BBBB-CCCC-DDDD", officer: "sato" });
  assert.ok((await send(page)).status() >= 400);
  await page.locator("#faults[role=alert]").waitFor();
  assert.equal(await page.locator("[name=officer]").inputValue(), "sato");
});

test("two persons open a body together", async (t) => {
  const own = await Stage.own(t);
  const opened = await own.ask({ do: "body", name: "city-new", code: "172022" });
  own.terminals["city-new-desk"] = opened.desk;
  const page = await sitDown(t, own, { at: "city-new-desk" });
  await page.goto("/enrol");
  await fill(page, { code: opened.code, officer: "first", second_officer: "second" });
  assert.equal((await send(page)).status(), 200);
  const [first, second] = await secrets(page);
  await fill(page, {
    name: "一人目 管理者",
    new_password: PASSWORD,
    repeated_password: PASSWORD,
    second_factor: await own.codeNow(first),
    second_name: "二人目 管理者",
    second_new_password: `${PASSWORD} 2`,
    second_repeated_password: `${PASSWORD} 2`,
    second_second_factor: await own.codeNow(second),
  });
  assert.equal((await send(page)).status(), 200);
  assert.equal((await recoveryCodes(page)).length, 16);
  await own.advance(STEP_SECONDS);
  const person = { officer: "second", password: `${PASSWORD} 2` };
  assert.equal((await signIn(page, own, person, { code: await own.codeNow(second) })).status(), 303);
  await page.locator("header.bar").getByText("二人目 管理者").waitFor();
});
