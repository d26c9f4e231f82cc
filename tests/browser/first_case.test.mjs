// A new caseworker takes a report and registers a first case, without a manual and without JavaScript; and what was
// typed survives a lost connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, signedIn } from "./lib/desk.mjs";
import { stage } from "./lib/stage.mjs";

const press = async (page, name) => {
  await page.getByRole("button", { name, exact: true }).first().click();
  await page.waitForLoadState();
};
const choose = (page, name, value) => page.locator(`[name='${name}'][value='${value}']`).check();

test("a new caseworker takes a report to a first record without a manual", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"), { scripts: false });
  // One link from today; what is known is typed once.
  await page.getByRole("link", { name: "通告・相談" }).click();
  await page.getByLabel("児童の氏名又はそのかな").fill("かくうづか りん");
  await page.getByLabel("又はおよその年齢").fill("7");
  await page.getByLabel("住所").fill("架空町2丁目");
  await page.getByLabel("通告・相談の内容").fill("子どもの泣き声が毎晩30分ほど続く。");
  await press(page, "照合する");
  await page.getByText("該当がないことは、過去の対応歴がないことを意味しません").first().waitFor();
  await press(page, "新しい記録として受理する");
  assert.equal(await page.locator("[name='index.child.name.written']").inputValue(), "かくうづか りん");
  assert.equal(await page.locator("[name='contact.address']").inputValue(), "架空町2丁目");

  // She sends what there is: what is missing is said, each thing leads to its field, and nothing is lost.
  await press(page, "児童記録票を登録する");
  const faults = page.locator("#faults a");
  assert.ok((await faults.count()) >= 4, "what is missing is said");
  for (const name of await faults.evaluateAll((links) => links.map((link) => link.getAttribute("href").slice(1)))) {
    assert.equal(await page.locator(`[id="${name}"]`).count(), 1, `${name} is there to be led to`);
  }
  assert.equal(await page.locator("[name='contact.address']").inputValue(), "架空町2丁目");
  await page.getByText("下書きを保存しました").waitFor();

  // She is called away: tomorrow it is there.
  await page.goto("/drafts");
  await page.getByRole("link", { name: "下書きを開く" }).first().click();
  assert.equal(await page.locator("[name='index.child.name.written']").inputValue(), "かくうづか りん");
  await choose(page, "index.child.sex", "2");
  await page.locator("[name='index.child.birthDate.era']").selectOption("令和");
  await fill(page, { "index.child.birthDate.year": "元", "index.guardian.1.name.written": "架空塚 誠" });
  await fill(page, { "contact.postalCode": "270-1422" });
  await press(page, "郵便番号から住所を入れる");
  await page.getByText("住所は入力済みのため、書き換えていません").first().waitFor();
  await choose(page, "case.caseClass", "1");
  await page.locator("[name='case.report.1.route']").selectOption({ label: "近隣・知人" });
  await choose(page, "case.report.1.method", "2");
  await press(page, "児童記録票を登録する");
  await page.getByText("登録しました。").waitFor();
  await page.getByRole("heading", { name: "かくうづか りん" }).waitFor();
});

test("a connection that is lost while saving loses nothing that was saved before", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"), { quiet: false });
  await page.goto("/records/new");
  await fill(page, { "index.child.name.written": "架空 一太" });
  await press(page, "下書きを保存する");
  await page.getByText("下書きを保存しました").waitFor();
  const draft = await page.locator("[name=draft]").inputValue();
  // The next save does not arrive.
  await page.locator("[name='contact.address']").fill("届かない住所");
  await page.context().setOffline(true);
  await page.getByRole("button", { name: "下書きを保存する", exact: true }).first().click().catch(() => {});
  await page.context().setOffline(false);
  await page.goto(`/records/new?draft=${draft}`);
  assert.equal(await page.locator("[name='index.child.name.written']").inputValue(), "架空 一太");
  assert.equal(await page.locator("[name='contact.address']").inputValue(), "");
});

test("where scripts run, a form keeps itself each minute in which something was typed", async (t) => {
  const at = await stage();
  const page = await signedIn(t, at, at.person("city-a", "sato"));
  await page.clock.install();
  await page.goto("/records/new");
  await page.locator("[name='index.child.name.written']").pressSequentially("架空 二葉");
  const kept = page.waitForResponse((answer) => answer.request().method() === "POST");
  await page.clock.fastForward(61_000);
  assert.equal((await kept).status(), 204);
  await page.getByText("下書きを自動保存しました").waitFor();
  const draft = await page.locator("[name=draft]").inputValue();
  await page.goto(`/records/new?draft=${draft}`);
  assert.equal(await page.locator("[name='index.child.name.written']").inputValue(), "架空 二葉");
});
