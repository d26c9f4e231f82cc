// A walk through the pages as a person does it, without JavaScript: a form that is sent and a link that is followed are acts.
import assert from "node:assert/strict";
import { signIn, sitDown } from "./desk.mjs";

/** Somebody at a desk whose acts are counted: signing in is the first. */
export class Desk {
  acts = 0;

  static async of(t, at, party, officer, options = {}) {
    const person = at.person(party, officer);
    const desk = new Desk();
    desk.page = await sitDown(t, at, { at: person.desk, scripts: false, ...options });
    await signIn(desk.page, at, person);
    desk.acts += 1;
    return desk;
  }

  async follow(name) {
    await this.page.getByRole("link", { name }).first().click();
    await this.page.waitForLoadState();
    this.acts += 1;
  }

  async press(name) {
    await this.page.getByRole("button", { name, exact: true }).first().click();
    await this.page.waitForLoadState();
    this.acts += 1;
  }

  async choose(name, value) {
    await this.page.locator(`[name='${name}'][value='${value}']`).check();
  }

  async sees(text) {
    const shown = await this.page.locator("main").innerText();
    assert.ok(shown.includes(text), `the page says ${text}: ${shown.slice(0, 600)}`);
  }

  async seesNot(text) {
    assert.equal(await this.page.getByText(text).count(), 0, `nothing says ${text}`);
  }
}
