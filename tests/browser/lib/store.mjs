// A home directory whose certificate store is Chromium's, as `certutil` and `pk12util` of libnss3-tools make it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";

/** A home for a browser that trusts a CA (a PEM file), and has a terminal's certificate where `p12` is given. */
export function homeThatTrusts(ca, { p12, password } = {}) {
  const directory = mkdtempSync(join(process.env.TSUNAGI_STAGES, "home."));
  const path = join(directory, ".pki/nssdb");
  const store = `sql:${path}`;
  mkdirSync(path, { recursive: true });
  run("certutil", ["-N", "-d", store, "--empty-password"]);
  run("certutil", ["-A", "-d", store, "-n", "Tsunagi CA", "-t", "C,,", "-i", ca]);
  if (p12) run("pk12util", ["-i", p12, "-d", store, "-W", password, "-K", ""]);
  const folders = { XDG_CONFIG_HOME: join(directory, ".config"), XDG_DATA_HOME: join(directory, ".local/share") };
  return { directory, environment: { ...process.env, HOME: directory, ...folders } };
}

function run(program, words) {
  execFileSync(program, words, { stdio: ["ignore", "ignore", "inherit"] });
}
