// A browser at a desk: Debian's Chromium, driven by playwright-core, with the certificate of a terminal.
//
// No certificate error is ignored. Chromium trusts the CA of the stages by its own store. Where a terminal's certificate
// is put in, Playwright does it: it ends the browser's TLS itself and begins its own towards the gateway, which it
// verifies as Node does, by NODE_EXTRA_CA_CERTS. The tests in native.test.mjs have no such thing between: there
// Chromium finds the terminal's certificate in its store, too.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { homeThatTrusts } from "./store.mjs";

/** Chromium as Debian installs it, or another by CHROMIUM. */
export const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

/** It looks nothing up elsewhere: the network of a desk has nothing but the gateway. */
export const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
];

const LOCALES = { ja: "ja-JP", en: "en-US" };

let launched;

async function browser() {
  if (!CHROMIUM) throw new Error("Chromium is missing: apt-get install chromium");
  launched ??= chromium.launch({ ...trusting(), args: QUIET });
  return launched;
}

/** How Chromium is started so that it trusts the CA of the stages. */
export function trusting() {
  const { environment } = homeThatTrusts(join(process.env.TSUNAGI_AUTHORITY, "ca.crt"));
  return { executablePath: CHROMIUM, env: environment, chromiumSandbox: !isRoot() };
}

/** Chromium's own sandbox does not run as root. */
export function isRoot() {
  return process.getuid?.() === 0;
}

export async function closeBrowser() {
  await (await launched)?.close();
}

/**
 * A page at a desk, which is left with the test. Then nothing may have gone wrong in it: no error in the console,
 * nothing against the policy of the page, nothing that did not load.
 *
 * `at` is the terminal, `null` none; `language` is the browser's; `scripts: false` is a browser without JavaScript.
 */
export async function sitDown(t, stage, options = {}) {
  const { at = "city-a-desk", language = "ja", scripts = true, quiet = true, ...more } = options;
  const files = at === null ? null : stage.terminal(at);
  const certificates = files
    ? { clientCertificates: [{ origin: stage.origin, certPath: files.certificate, keyPath: files.key }] }
    : {};
  const context = await (await browser()).newContext({
    ...certificates,
    baseURL: stage.origin,
    locale: LOCALES[language],
    javaScriptEnabled: scripts,
    viewport: { width: 1280, height: 900 },
    ...more,
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const wrong = watch(page, stage);
  t.after(async () => {
    await context.close();
    if (quiet) assert.deepEqual(wrong, [], "nothing goes wrong in a page");
  });
  return page;
}

/** Everything that goes wrong in a page from now on. That a document is a refusal is not: Chromium says so of each. */
export function watch(page, stage) {
  const wrong = [];
  const note = (what) => !stage.isClosed && wrong.push(what);
  const documents = new Set();
  page.on("response", (response) => {
    if (response.request().isNavigationRequest()) documents.add(response.url());
  });
  page.on("console", (message) => {
    const isOfDocument = /^Failed to load resource: the server responded/.test(message.text())
      && documents.has(message.location().url);
    if (["error", "warning"].includes(message.type()) && !isOfDocument) note(message.text());
  });
  page.on("pageerror", (error) => note(String(error)));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") note(`${request.url()}: ${why}`);
  });
  return wrong;
}

/** Fills a form in by the names of its fields. */
export async function fill(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    await page.locator(`[name="${name}"]`).fill(value);
  }
}

/** Sends the form of the page's content; returns the answer to it. */
export async function send(page) {
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await page.locator("main form button.primary").click();
  const response = await answered;
  await page.waitForLoadState();
  return response;
}

/** Signs somebody in, from the page of signing in; returns the answer to the form. */
export async function signIn(page, stage, person, { path = "/sign-in", code } = {}) {
  await page.goto(path);
  const { officer, password } = person;
  await fill(page, { officer, password, second_factor: code ?? (await stage.codeOf(person)) });
  return send(page);
}

/** A page at which somebody is signed in; the desk is the person's own. */
export async function signedIn(t, stage, person, options = {}) {
  const page = await sitDown(t, stage, { at: person.desk, ...options });
  await signIn(page, stage, person);
  assert.equal(new URL(page.url()).pathname, "/", "who signed in is led to today");
  return page;
}

export async function signOut(page) {
  await page.locator("form[action='/sign-out'] button").click();
  await page.waitForURL(/\/sign-in$/);
}
