// A gateway with parties, desks and persons who can sign in: `tsunagi-testkit stage`, in a process of its own.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { STEP_SECONDS, codeOf } from "./totp.mjs";

const open = new Set();
let shared;

/** The stage that tests share, with all parties; no test leaves it changed for the others. */
export function stage() {
  shared ??= Stage.open();
  return shared;
}

export async function closeStages() {
  await Promise.all([...open].map((one) => one.close()));
}

export class Stage {
  #process;
  #waiting = [];
  #directory;
  #ended;
  /** Nobody is there any more: what a browser still asks for is not answered. */
  isClosed = false;

  /** A stage of a test's own: some parties, and planted defects where it is a twin. It closes with the test. */
  static async own(t, { parties = ["city-a"], defects = [] } = {}) {
    const own = await Stage.open({ parties, defects });
    t.after(() => own.close());
    return own;
  }

  static async open({ parties = [], defects = [] } = {}) {
    const directory = mkdtempSync(join(process.env.TSUNAGI_STAGES, "stage."));
    const words = ["stage", "--directory", directory, "--authority", process.env.TSUNAGI_AUTHORITY];
    words.push(...parties.flatMap((party) => ["--party", party]));
    const environment = { ...process.env, PLANTED_DEFECT: defects.join(",") };
    const child = spawn(process.env.TSUNAGI_TESTKIT, words, { env: environment, stdio: ["pipe", "pipe", "inherit"] });
    const made = new Stage(child, directory);
    await made.#answer();
    Object.assign(made, JSON.parse(readFileSync(join(directory, "stage.json"), "utf8")));
    return made;
  }

  constructor(child, directory) {
    this.#process = child;
    this.#directory = directory;
    open.add(this);
    createInterface({ input: child.stdout }).on("line", (line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    this.#ended = new Promise((resolve) => {
      child.on("exit", () => {
        for (const one of this.#waiting) one.reject(new Error("the stage has ended"));
        resolve();
      });
    });
  }

  #answer() {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Asks for something that `crates/testkit/src/stage/ask.rs` knows. */
  async ask(asked) {
    const answer = this.#answer();
    this.#process.stdin.write(`${JSON.stringify(asked)}\n`);
    const { done, failed } = await answer;
    if (failed) throw new Error(`${asked.do}: ${failed}`);
    return done;
  }

  async close() {
    open.delete(this);
    this.isClosed = true;
    this.#process.stdin.end();
    await this.#ended;
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Files of a terminal by the name of its certificate. */
  terminal(name) {
    const files = this.terminals[name];
    if (!files) throw new Error(`no terminal ${name}`);
    return files;
  }

  /** Somebody of a party, by id. */
  person(party, officer) {
    const found = this.persons.find((person) => person.party === party && person.officer === officer);
    if (!found) throw new Error(`nobody is ${officer} of ${party}`);
    return found;
  }

  /** The next code of somebody's device that was not used. It counts as used. */
  async codeOf(person) {
    const { step } = await this.ask({ do: "step", party: person.party, officer: person.officer });
    return codeOf(person.secret, step);
  }

  /** What a device with this secret shows now. */
  async codeNow(secret) {
    const { now } = await this.ask({ do: "time" });
    return codeOf(secret, Math.floor(now / 1000 / STEP_SECONDS));
  }

  /** The gateway's clock goes on. */
  async advance(seconds) {
    await this.ask({ do: "advance", seconds });
  }
}
