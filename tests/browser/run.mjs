// Runs the tests in a browser, or what is named behind it: `node run.mjs`, `node run.mjs forgery`,
// `node run.mjs --screens DIRECTORY`.
//
// Every stage has certificates of one CA, made here: Node reads whom it trusts beside the public CAs when it starts
// (NODE_EXTRA_CA_CERTS), so it is there before the tests are.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const testkit = process.env.TSUNAGI_TESTKIT ?? resolve(here, "../../target/debug/tsunagi-testkit");
if (!existsSync(testkit)) {
  console.error(`${testkit} is missing; build it: cargo build --locked`);
  process.exit(1);
}
if (!existsSync(join(here, "node_modules/playwright-core"))) {
  console.error("What the tests need is not installed: make needs");
  process.exit(1);
}

const directory = mkdtempSync(join(tmpdir(), "tsunagi-browser."));
let child;
const end = (code) => {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  process.exit(code);
};
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => (child ? child.kill(signal) : end(130)));
}

const authority = join(directory, "authority");
const made = spawnSync(testkit, ["pki", "create", authority], { stdio: "inherit" });
if (made.status !== 0) end(1);

const words = process.argv.slice(2);
const program = words[0] === "--screens" ? ["screens.mjs", ...words.slice(1)] : ["main.mjs", ...words];
const environment = {
  ...process.env,
  NODE_EXTRA_CA_CERTS: join(authority, "ca.crt"),
  TSUNAGI_TESTKIT: testkit,
  TSUNAGI_AUTHORITY: authority,
  TSUNAGI_STAGES: directory,
};
const [file, ...rest] = program;
const runner = ["--test-reporter=spec", "--test-timeout=120000"];
child = spawn(process.execPath, [...runner, join(here, file), ...rest], { env: environment, stdio: "inherit" });
child.on("exit", (code, signal) => end(code ?? (signal ? 130 : 1)));
