// Chromium as it stands at a desk: the CA and the terminal's certificate in its own store, chosen by a policy of
// whoever administers the machine, and nothing between it and the gateway.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { CHROMIUM, QUIET, isRoot, signIn, signOut, trusting, watch } from "./lib/desk.mjs";
import { stage } from "./lib/stage.mjs";
import { homeThatTrusts } from "./lib/store.mjs";

const CA = "Tsunagi development CA";

/**
 * A program that is Chromium with policies of its own. They stand in `/etc/chromium/policies`, where they would hold
 * for everybody: here only this Chromium sees them, in a mount namespace of its own.
 */
function managed(directory, policies) {
  const policy = join(directory, "etc-chromium");
  mkdirSync(join(policy, "policies/managed"), { recursive: true });
  writeFileSync(join(policy, "policies/managed/desk.json"), JSON.stringify(policies));
  const program = join(directory, "chromium-at-desk");
  const unshare = isRoot() ? "unshare --mount" : "unshare --mount --map-root-user";
  const inside = `mount --bind "$0" /etc/chromium && exec "${CHROMIUM}" "$@"`;
  writeFileSync(program, `#!/bin/sh\nexec ${unshare} sh -c '${inside}' "${policy}" "$@"\n`, { mode: 0o755 });
  return program;
}

test("Chromium with its own certificate store is at the desk", async (t) => {
  const at = await stage();
  const { p12 } = at.terminal("city-a-desk");
  const { directory, environment } = homeThatTrusts(at.ca, { p12, password: at.p12_password });
  const filter = { ISSUER: { CN: CA } };
  const policies = { AutoSelectCertificateForUrls: [JSON.stringify({ pattern: at.origin, filter })] };
  const context = await chromium.launchPersistentContext(join(directory, "profile"), {
    executablePath: managed(directory, policies),
    env: environment,
    args: QUIET,
    // Pages stay in memory for the back button, as at a desk.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
    // In a namespace of its own it runs as root.
    chromiumSandbox: false,
    baseURL: at.origin,
    locale: "ja-JP",
  });
  t.after(() => context.close());
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const wrong = watch(page, at);
  assert.equal((await signIn(page, at, at.person("city-a", "sato"))).status(), 303);
  await page.locator("header.bar").getByText("佐藤 美和").waitFor();
  const { issuer, protocol } = await (await page.goto("/")).securityDetails();
  assert.deepEqual({ issuer, protocol }, { issuer: CA, protocol: "TLS 1.3" }, "nothing stands between");
  await signOut(page);
  await page.goBack();
  await page.waitForURL(/\/sign-in/);
  assert.ok(!(await page.content()).includes("佐藤 美和"), "the back button shows nothing of what was seen");
  assert.deepEqual(wrong, []);
});

test("Chromium that has no certificate, or does not trust the CA, gets nowhere", async (t) => {
  const at = await stage();
  const open = async (options) => {
    const browser = await chromium.launch({ args: QUIET, ...options });
    t.after(() => browser.close());
    return browser.newPage({ baseURL: at.origin });
  };
  await assert.rejects((await open(trusting())).goto("/sign-in"), /ERR_BAD_SSL_CLIENT_AUTH_CERT|ERR_SOCKET_NOT_CONNECTED/);
  const stranger = { executablePath: CHROMIUM, chromiumSandbox: !isRoot() };
  await assert.rejects((await open(stranger)).goto("/sign-in"), /ERR_CERT_AUTHORITY_INVALID/);
});
