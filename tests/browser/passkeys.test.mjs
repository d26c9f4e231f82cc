// Passkeys, with an authenticator that Chromium plays (the protocol's WebAuthn domain): what a fingerprint reader does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAccessible } from "./lib/checks.mjs";
import { fill, signOut, signedIn, sitDown } from "./lib/desk.mjs";
import { Stage } from "./lib/stage.mjs";

const path = (page) => new URL(page.url()).pathname;

/** An authenticator at the desk, which can verify its person, or cannot. */
async function authenticator(page, { verifies = true } = {}) {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: verifies,
    isUserVerified: verifies, automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", { options });
  const to = (command, more = {}) => session.send(`WebAuthn.${command}`, { authenticatorId, ...more });
  return {
    credentials: async () => (await to("getCredentials")).credentials,
    add: (credential) => to("addCredential", { credential }),
    clear: () => to("clearCredentials"),
    knows: (isUserVerified) => to("setUserVerified", { isUserVerified }),
  };
}

/** The answer to the form that an act sends, once the page to which it leads is there. */
async function sent(page, act) {
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  const loaded = page.waitForEvent("load");
  await act();
  const response = await answered;
  await loaded;
  return response;
}

/** Presses a button by which the page asks the authenticator; returns the answer to the form. */
async function press(page, name) {
  return sent(page, () => page.getByRole("button", { name }).click());
}

/** Registers a passkey on one's own page. */
async function register(page, label = "窓口の指紋認証") {
  await page.goto("/account");
  await fill(page, { label });
  const response = await press(page, "パスキーを登録する");
  assert.equal(response.status(), 303, "the passkey is registered");
  await page.getByText("パスキーを登録しました").waitFor();
}

/** Signs in with a passkey in place of the code; returns the answer. */
async function signInWithPasskey(page, { officer, password }) {
  await page.goto("/sign-in");
  await fill(page, { officer, password });
  return press(page, "パスキーでサインインする");
}

test("a passkey is registered, signs in and is removed; the page says so to everybody who reads it", async (t) => {
  const own = await Stage.own(t);
  const person = own.person("city-a", "sato");
  const page = await signedIn(t, own, person);
  const device = await authenticator(page);
  await register(page);
  await isAccessible(page, "one's own page with a passkey");
  const [credential] = await device.credentials();
  assert.equal(credential.rpId, "localhost");
  // Registered once: the authenticator refuses a second one itself, and nothing is sent.
  await fill(page, { label: "もう一度" });
  await page.getByRole("button", { name: "パスキーを登録する" }).click();
  await page.getByText("認証器が応答しませんでした").waitFor();

  for (let time = 0; time < 2; time += 1) {
    await signOut(page);
    const answer = await signInWithPasskey(page, person);
    assert.equal(answer.status(), 303, "the passkey signs in");
    await page.locator("header.bar").getByText("佐藤 美和").waitFor();
  }
  // Not with a wrong password, whatever the authenticator says.
  await signOut(page);
  assert.equal((await signInWithPasskey(page, { ...person, password: "machigatta password" })).status(), 401);
  await isAccessible(page, "signing in with a passkey");

  assert.equal((await signInWithPasskey(page, person)).status(), 303);
  await page.goto("/account");
  await page.getByRole("button", { name: "削除する" }).click();
  await page.getByText("パスキーを削除しました").waitFor();
  await signOut(page);
  assert.equal((await signInWithPasskey(page, person)).status(), 401, "who lost it removes it");
});

test("a passkey of somebody else, or of another authenticator, is refused", async (t) => {
  const own = await Stage.own(t);
  const [sato, kato] = [own.person("city-a", "sato"), own.person("city-a", "kato")];
  const page = await signedIn(t, own, sato);
  const device = await authenticator(page);
  await register(page);
  const [credential] = await device.credentials();
  await signOut(page);
  assert.equal((await signInWithPasskey(page, kato)).status(), 401, "it is another person's");
  // Another key under the same name, as one who knows the name alone would make it.
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  const forged = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey)).toString("base64");
  await device.clear();
  await device.add({ ...credential, privateKey: forged });
  assert.equal((await signInWithPasskey(page, sato)).status(), 401, "the key is another one");
  // A copy that was used less often than the one that the gateway knows.
  await device.clear();
  await device.add({ ...credential, signCount: 40 });
  assert.equal((await signInWithPasskey(page, sato)).status(), 303);
  await signOut(page);
  await device.clear();
  await device.add({ ...credential, signCount: 3 });
  assert.equal((await signInWithPasskey(page, sato)).status(), 401, "there are two of it");
});

/** Whoever changes the page so that it asks for nobody's finger is refused by the gateway. */
async function withoutTheFingerNobodySignsIn(t, at) {
  const person = at.person("city-a", "sato");
  const page = await signedIn(t, at, person);
  const device = await authenticator(page);
  await register(page);
  await signOut(page);
  // The browser itself asks for it, where the page says so.
  await device.knows(false);
  await page.goto("/sign-in");
  await fill(page, { officer: person.officer, password: person.password });
  await page.getByRole("button", { name: "パスキーでサインインする" }).click();
  await page.getByText("パスキーを使えませんでした").waitFor();
  await page.locator("[data-passkey]").evaluate((place) => {
    const options = JSON.parse(place.dataset.options);
    place.dataset.options = JSON.stringify({ ...options, userVerification: "discouraged" });
  });
  const answer = await press(page, "パスキーでサインインする");
  assert.equal(answer.status(), 401, "without the finger nobody signs in");
}

test("without user verification a passkey is refused", async (t) => {
  await withoutTheFingerNobodySignsIn(t, await Stage.own(t));
});

test("a gateway that takes a passkey without user verification is noticed", async (t) => {
  const twin = await Stage.own(t, { defects: ["believe-presence"] });
  await assert.rejects(withoutTheFingerNobodySignsIn(t, twin), /without the finger/);
});

test("an authenticator that verifies nobody is not registered", async (t) => {
  const own = await Stage.own(t);
  const page = await signedIn(t, own, own.person("city-a", "sato"));
  await authenticator(page, { verifies: false });
  await page.goto("/account");
  await fill(page, { label: "指の分からない認証器" });
  await page.getByRole("button", { name: "パスキーを登録する" }).click();
  await page.getByText("認証器が応答しませんでした").waitFor();
  await page.locator("[data-passkey]").evaluate((place) => {
    const options = JSON.parse(place.dataset.options);
    const nothing = { userVerification: "discouraged", residentKey: "discouraged", requireResidentKey: false };
    Object.assign(options.authenticatorSelection, nothing);
    delete options.extensions;
    place.dataset.options = JSON.stringify(options);
  });
  assert.equal((await press(page, "パスキーを登録する")).status(), 422);
  await page.getByText("このパスキーは登録できませんでした").waitFor();
  await isAccessible(page, "a passkey that was refused");
});

test("an answer works once, and at no other desk", async (t) => {
  const own = await Stage.own(t);
  const person = own.person("city-a", "sato");
  const page = await signedIn(t, own, person);
  await authenticator(page);
  await register(page);
  await signOut(page);
  const answer = await signInWithPasskey(page, person);
  assert.equal(answer.status(), 303);
  const sent = new URLSearchParams(answer.request().postData());
  await signOut(page);
  await page.goto("/sign-in");
  await fill(page, { officer: person.officer, password: person.password });
  const replay = await resend(page, { passkey: sent.get("passkey"), passkey_ticket: sent.get("passkey_ticket") });
  assert.equal(replay.status(), 401, "an answer works once");
  // What was not used yet is of the desk that asked.
  await page.goto("/sign-in");
  await fill(page, { officer: person.officer, password: person.password });
  await page.locator("form[action='/sign-in']").evaluate((form) => {
    form.submit = () => (document.title = form.elements.passkey.value);
  });
  await page.getByRole("button", { name: "パスキーでサインインする" }).click();
  await page.waitForFunction(() => document.title.startsWith("{"));
  const fresh = { passkey: await page.title(), passkey_ticket: await page.locator("[name=passkey_ticket]").inputValue() };
  const added = await own.ask({ do: "desk", party: "city-a", name: "city-a-desk-2" });
  own.terminals["city-a-desk-2"] = added;
  const elsewhere = await sitDown(t, own, { at: "city-a-desk-2" });
  await elsewhere.goto("/sign-in");
  await fill(elsewhere, { officer: person.officer, password: person.password });
  assert.equal((await resend(elsewhere, fresh)).status(), 401, "it was asked at another desk");
});

/** Sends the form of the page with these values in its hidden fields. */
async function resend(page, values) {
  return sent(page, () => page.locator("form[action='/sign-in']").evaluate((form, all) => {
    for (const [name, value] of Object.entries(all)) form.elements[name].value = value;
    HTMLFormElement.prototype.submit.call(form);
  }, values));
}

test("a sharp act on a page that stood open goes on with a passkey, and with nothing less", async (t) => {
  const own = await Stage.own(t);
  const person = own.person("city-a", "kato");
  const page = await signedIn(t, own, person);
  const device = await authenticator(page);
  await register(page);
  await own.advance(11 * 60);
  await page.goto("/account");
  const label = page.locator("[name=label]");
  await device.clear();
  await label.fill("2個目の認証器");
  await page.getByRole("button", { name: "パスキーを登録する" }).click();
  await page.getByRole("heading", { level: 1, name: "本人確認" }).waitFor();
  await isAccessible(page, "showing that it is you");
  assert.equal(await page.locator("input[type=hidden][name=label]").inputValue(), "2個目の認証器");
  // The new one is not registered yet, and opens nothing.
  assert.equal((await press(page, "パスキーで確認して操作を続ける")).status(), 401);
  await fill(page, { code_again: await own.codeOf(person) });
  const goesOn = page.getByRole("button", { name: "確認して操作を続ける", exact: true });
  assert.equal((await sent(page, () => goesOn.click())).status(), 303, "the act goes on");
  await page.locator("li .strong").getByText("2個目の認証器").waitFor();
  await own.advance(11 * 60);
  await page.goto("/account");
  await page.getByRole("button", { name: "削除する 2個目の認証器" }).click();
  await page.getByText("パスキーを削除しました").waitFor();
  assert.equal(path(page), "/account", "taking away waits for nothing");
});

test("whoever administers goes on with a passkey, and what was filled in is done", async (t) => {
  const own = await Stage.own(t);
  const page = await signedIn(t, own, own.person("city-a", "admin"));
  await authenticator(page);
  await register(page);
  await own.advance(11 * 60);
  await page.goto("/staff");
  await fill(page, { id: "hirano", name: "平野 <i>奈々</i>" });
  await page.locator("[name=role_caseworker]").check();
  assert.equal((await press(page, "職員の登録を申請する")).status(), 403, "it is asked again");
  assert.equal((await press(page, "パスキーで確認して操作を続ける")).status(), 303, "the passkey goes on");
  await page.getByText("申請しました").waitFor();
  await page.goto("/waiting");
  await page.getByText("平野 <i>奈々</i>").waitFor();
});

test("without JavaScript nothing of passkeys is offered, and the code does as well", async (t) => {
  const own = await Stage.own(t);
  const page = await sitDown(t, own, { scripts: false });
  await page.goto("/sign-in");
  assert.equal(await page.getByRole("button", { name: "パスキー" }).count(), 0);
});
