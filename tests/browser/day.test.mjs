// A day across seven parties, without JavaScript: each thing is done by a form that is sent or a link that is followed,
// and these are counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fill } from "./lib/desk.mjs";
import { Stage } from "./lib/stage.mjs";
import { Desk } from "./lib/walk.mjs";

const CHILD = "架空谷 すみれ";
const ADDRESS = "架空台3丁目14番";

test("a day: registered, found at night, handed on, missed and found, put before the ministry, accounted for", async (t) => {
  const at = await Stage.own(t, { parties: [] });
  const told = [];
  const note = (what, desk, most) => {
    told.push(`${what}: ${desk.acts} acts`);
    assert.ok(desk.acts <= most, `${what} takes ${desk.acts} acts, more than ${most}`);
  };

  // Morning: the city registers a case.
  const city = await Desk.of(t, at, "city-a", "sato");
  await city.follow("児童記録票");
  await city.follow("新しく登録する");
  await fill(city.page, {
    "index.child.name.written": CHILD, "index.child.name.kana": "カクウダニ スミレ",
    "index.child.birthDate.year": "2019", "index.guardian.1.name.written": "架空谷 誠", "contact.address": ADDRESS,
  });
  await city.choose("index.child.sex", "2");
  await city.choose("case.caseClass", "1");
  await city.choose("case.abuseKind.2", "new");
  await city.press("児童記録票を登録する");
  await city.sees("登録しました。");
  note("a case is registered", city, 6);
  const record = new URL(city.page.url()).pathname.split("/")[2];

  // Night: the center of that city finds the child by a fragment of its kana, and reads the record.
  const center = await Desk.of(t, at, "center-a", "suzuki");
  await center.follow("全国検索");
  await fill(center.page, { child_name: "かくうだに", case_reference: "夜-R8-1130" });
  await center.press("全国を検索する");
  await center.follow("記録を開く");
  await center.sees(ADDRESS);
  note("from sign-in to a found child", center, 5);

  // A center far away finds four items and whom to call; nothing else is in the page.
  const far = await Desk.of(t, at, "center-far", "ito");
  await far.follow("全国検索");
  await fill(far.page, { child_name: "架空谷", case_reference: "北-R8-7" });
  await far.press("全国を検索する");
  await far.sees(CHILD);
  await far.sees("閲覧制限");
  assert.ok(!(await far.page.content()).includes(ADDRESS), "what is withheld is not in the page");

  // The family moves. The city offers the record, the next one reads it, confirms and takes it over.
  await city.follow("転出先へ情報を提供する");
  await fill(city.page, { receiver: "172014", photos_reason: "撮影していない", risk_sheet_reason: "作成中" });
  await city.choose("urgency", "included");
  await city.choose("risk_sheet", "missing");
  await city.choose("photos", "missing");
  await city.press("情報を提供する");
  await city.sees("記録にありません。「提供しない・記録なし」を選び、理由を入力してください");
  await city.choose("urgency", "missing");
  await fill(city.page, { urgency_reason: "評価は来週の会議で行う" });
  await city.press("情報を提供する");
  await city.sees("提供先の確認を待っています");
  const next = await Desk.of(t, at, "city-b", "tanaka");
  await next.page.locator("main a[href^='/transfers/']").last().click();
  next.acts += 1;
  await next.sees("撮影していない");
  await next.follow("提供された内容を見る");
  await next.sees("情報提供先（確認前）");
  assert.ok(!(await next.page.content()).includes(ADDRESS), "before it is confirmed no address is in the page");
  await next.page.goBack();
  await next.press("この児童の情報であることを確認する");
  note("a transfer is read and confirmed", next, 4);
  const supervisor = await Desk.of(t, at, "city-b", "hara");
  await supervisor.follow("転出入");
  await supervisor.follow(/内容を開く/);
  await supervisor.press("記録を引き継ぐ");
  await supervisor.sees("記録を引き継ぎました。");

  // The child is missing: every center is told, the far one answers.
  await center.follow("行方不明児童");
  await center.follow("通知を出す");
  await fill(center.page, {
    name: CHILD, birth_date: "2019", circumstances: "登校後に所在不明。身長112cm、赤いランドセル。", contact: "00-0000-0199（夜間可）",
  });
  await center.press("全国の児童相談所に通知する");
  const notice = new URL(center.page.url()).pathname;
  await far.follow("今日");
  await far.page.locator(`a[href='${notice}']`).first().click();
  await far.sees("赤いランドセル");
  await far.choose("answer", "sighted");
  await fill(far.page, { details: "16時ごろ、駅の待合室で保護者と思われる男性と一緒だった。" });
  await far.press("通知に回答する");
  await center.page.goto(notice);
  await center.sees("駅の待合室");
  await center.press("通知を解除する");
  await center.sees("通知を解除しました。");

  // The new owner puts the case before the ministry, which reads it.
  await supervisor.page.goto(`/records/${record}`);
  await supervisor.follow("重大事案に指定する");
  await fill(supervisor.page, { note: "転入後の安全確認の経過を検証したい。" });
  await supervisor.press("重大事案に指定する");
  await supervisor.sees("重大事案に指定しました。");
  const ministry = await Desk.of(t, at, "ministry", "yamada");
  await ministry.follow("重大事案");
  await ministry.follow(/指定の理由と所見/);
  await ministry.sees("転入後の安全確認の経過");
  await fill(ministry.page, { note: "市町村間の連絡は期限内であった。" });
  await ministry.press("検証の所見を記録する");
  await ministry.sees("市町村間の連絡は期限内");

  // Who saw what: the auditor of the first city finds the far center's search, with its proof.
  const auditor = await Desk.of(t, at, "city-a", "abe");
  await auditor.follow("閲覧履歴");
  await auditor.sees("伊藤 誠");
  await auditor.follow(/証明を見る/);
  await auditor.sees("包含証明");

  // The prefecture reads no record; the operator sees bodies and no child.
  const prefecture = await Desk.of(t, at, "prefecture", "hayashi");
  await prefecture.seesNot(CHILD);
  const answer = await prefecture.page.goto(`/records/${record}`);
  assert.ok(answer.status() >= 400, `a prefecture was answered ${answer.status()}`);
  const operator = await Desk.of(t, at, "operator", "chair1");
  await operator.follow("接続機関");
  await operator.sees("金沢市");
  await operator.seesNot(CHILD);
  console.log(told.join("\n"));
});
