// The glass is broken at night and reviewed by day; a photo of an injury; what an auditor keeps.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fill } from "./lib/desk.mjs";
import { PHOTO } from "./lib/photo.mjs";
import { Stage } from "./lib/stage.mjs";
import { Desk } from "./lib/walk.mjs";

test("a photo is attached and opened, the glass is broken and reviewed, and evidence of all of it is kept", async (t) => {
  const at = await Stage.own(t, { parties: [] });
  const { record } = await at.ask({ do: "record", party: "city-a", seed: 7 });

  // Around a picture Chromium draws a page of its own, whose style the policy of the picture forbids: it says so.
  const city = await Desk.of(t, at, "city-a", "sato", { quiet: false });
  await city.page.goto(`/records/${record}`);
  const child = (await city.page.locator("h1.child .nowrap").first().innerText()).trim();
  const address = (await city.page.locator("dt", { hasText: /^住所$/ }).locator("+ dd").innerText()).trim();
  assert.match(address, /架空/);
  await city.follow("ファイルを添付する");
  await city.page.locator("#file").setInputFiles(PHOTO);
  await city.press("ファイルを添付する");
  await city.sees("ファイルを添付しました。");
  await city.follow("けがの写真を開く");
  assert.equal(await city.page.evaluate(() => document.images[0]?.naturalWidth), 8, "the photo is shown");

  // At night, far away: what is withheld is needed at once.
  const far = await Desk.of(t, at, "center-far", "ito");
  await far.follow("全国検索");
  await fill(far.page, { child_name: child, case_reference: "北-R8-9" });
  await far.press("全国を検索する");
  await far.follow("緊急閲覧");
  await fill(far.page, { reason: "一時保護した児童に外傷がある。登録機関に電話がつながらない。" });
  await far.press("緊急閲覧をする");
  await far.sees(address);
  assert.ok(far.acts <= 5, `the glass is broken in ${far.acts} acts`);

  // In the morning the owner's supervisor reads why, and the auditor reviews it.
  const supervisor = await Desk.of(t, at, "city-a", "kato");
  await supervisor.page.locator("main a[href^='/break-glass/']").first().click();
  await supervisor.sees("登録機関に電話がつながらない");
  const auditor = await Desk.of(t, at, "city-a", "abe");
  await auditor.page.locator("main a[href^='/break-glass/']").first().click();
  await auditor.sees("伊藤 誠");
  await auditor.press("緊急閲覧を点検済みにする");
  await auditor.sees("点検済み");
  await auditor.follow("閲覧履歴");
  await auditor.sees("緊急閲覧");

  // What she keeps can be read without the gateway.
  const kept = auditor.page.waitForEvent("download");
  await auditor.page.getByRole("link", { name: /署名された証拠の束を保存する/ }).click();
  const file = await (await kept).path();
  const names = execFileSync("tar", ["-tf", file]).toString().split("\n");
  assert.ok(names.some((name) => name.endsWith(".html")), `a page to read is in it: ${names}`);
  assert.ok(readFileSync(file).length > 10_000);
});
