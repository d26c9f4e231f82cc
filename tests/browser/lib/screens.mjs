// The pages, each in the states in which somebody meets it: what the tests hold against the rules for everybody, and
// what `make screenshots` draws. A new page has a line here.
import assert from "node:assert/strict";
import { fill, send, signIn } from "./desk.mjs";
import { PHOTO } from "./photo.mjs";
import { scene } from "./scene.mjs";

const signedInAs = (party, officer, path) => async (page, stage) => {
  await signIn(page, stage, stage.person(party, officer));
  if (path) await page.goto(path);
};

/** A page about something that has happened. */
const signedInAbout = (party, officer, pathOf) => async (page, stage) => {
  const path = pathOf(await scene(stage));
  await signedInAs(party, officer)(page, stage);
  const answer = await page.goto(path);
  assert.equal(answer.status(), 200, `${party} ${officer} is shown ${path}`);
};

/**
 * `name` is that of the picture; `at` the terminal; `open` brings a page that was just begun into its state.
 */
export const SCREENS = [
  { name: "sign-in", at: "city-a-desk", open: (page) => page.goto("/sign-in") },
  {
    name: "sign-in-refused",
    at: "city-a-desk",
    open: (page, stage) => signIn(page, stage, { officer: "dare-mo", password: "chigau" }, { code: "000000" }),
  },
  { name: "sign-in-renew", at: "city-a-desk", open: (page) => page.goto("/sign-in?renew=1") },
  { name: "enrol", at: "city-a-desk", open: (page) => page.goto("/enrol") },
  {
    name: "enrol-refused",
    at: "city-a-desk",
    open: async (page) => {
      await page.goto("/enrol");
      await fill(page, { code: "AAAA-BBBB-CCCC-DDDD", officer: "ueda" });
      await send(page);
    },
  },
  { name: "enrol-device", at: "city-a-desk", open: beginEnrolment },
  { name: "enrol-recovery-codes", at: "city-a-desk", open: finishEnrolment },
  { name: "today-city", at: "city-a-desk", open: signedInAs("city-a", "sato") },
  { name: "today-operator", at: "operator-desk", open: signedInAs("operator", "chair1") },
  { name: "search", at: "center-a-desk", open: signedInAs("center-a", "suzuki", "/search") },
  { name: "search-found", at: "center-a-desk", open: searchFor },
  { name: "search-nothing", at: "center-a-desk", open: searchForNobody },
  { name: "search-refused", at: "center-a-desk", open: searchForTooLittle },
  { name: "records", at: "city-a-desk", open: signedInAs("city-a", "sato", "/records") },
  { name: "record-new", at: "city-a-desk", open: signedInAs("city-a", "sato", "/records/new") },
  { name: "record-new-faulty", at: "city-a-desk", open: sendUnfinished },
  { name: "intake", at: "city-a-desk", open: signedInAs("city-a", "sato", "/intake") },
  { name: "intake-nothing", at: "city-a-desk", open: reportOfNobody },
  { name: "intake-begun", at: "city-a-desk", open: beginWithReport },
  { name: "drafts", at: "city-a-desk", open: keepDraft },
  { name: "record", at: "city-a-desk", open: openRecord },
  { name: "record-edit", at: "city-a-desk", open: editRecord },
  { name: "record-attach", at: "city-a-desk", open: attachToRecord },
  { name: "record-photo", at: "city-a-desk", open: attachPhoto },
  { name: "transfers", at: "city-a-desk", open: signedInAs("city-a", "sato", "/transfers") },
  { name: "missing", at: "center-a-desk", open: signedInAs("center-a", "suzuki", "/missing") },
  { name: "missing-new", at: "center-a-desk", open: signedInAs("center-a", "suzuki", "/missing/new") },
  { name: "missing-notice", at: "center-a-desk", open: ownNotice },
  { name: "disclosures", at: "city-a-desk", open: signedInAs("city-a", "abe", "/disclosures?of=by_us") },
  { name: "waiting", at: "city-a-desk", open: signedInAs("city-a", "kato", "/waiting") },
  { name: "settings", at: "city-a-desk", open: signedInAs("city-a", "kato", "/settings") },
  { name: "settings-visibility", at: "city-a-desk", open: signedInAs("city-a", "sato", "/settings/visibility") },
  { name: "retention", at: "city-a-desk", open: signedInAs("city-a", "admin", "/retention") },
  { name: "disposals", at: "city-a-desk", open: signedInAs("city-a", "kato", "/disposals") },
  { name: "disposals-due", at: "city-a-desk", open: signedInAs("city-a", "kato", "/disposals/due") },
  { name: "keys", at: "operator-desk", open: signedInAs("operator", "chair1", "/keys") },
  { name: "own-search", at: "city-a-desk", open: searchOwn },
  { name: "missing-edit", at: "center-a-desk", open: editNotice },
  { name: "shield", at: "city-a-desk", open: openShield },
  { name: "account", at: "city-a-desk", open: signedInAs("city-a", "sato", "/account") },
  { name: "inquiries", at: "city-a-desk", open: signedInAs("city-a", "sato", "/inquiries") },
  { name: "break-glass", at: "city-a-desk", open: signedInAs("city-a", "kato", "/break-glass") },
  { name: "serious", at: "ministry-desk", open: signedInAs("ministry", "yamada", "/serious") },
  { name: "staffing", at: "ministry-desk", open: signedInAs("ministry", "yamada", "/staffing") },
  { name: "organizations", at: "operator-desk", open: signedInAs("operator", "chair1", "/organizations") },
  { name: "settings-administrator", at: "city-a-desk", open: signedInAs("city-a", "admin", "/settings") },
  { name: "settings-operator", at: "operator-desk", open: signedInAs("operator", "chair1", "/settings") },
  { name: "settings-center", at: "center-a-desk", open: signedInAs("center-a", "ono", "/settings") },
  { name: "record-supervisor", at: "city-a-desk", open: signedInAbout("city-a", "kato", ({ asked }) => `/records/${asked}`) },
  { name: "record-shielded", at: "city-a-desk", open: signedInAbout("city-a", "sato", ({ shielded }) => `/records/${shielded}`) },
  { name: "search-elsewhere", at: "center-far-desk", open: searchFromElsewhere },
  { name: "inquiry", at: "city-a-desk", open: signedInAbout("city-a", "kato", ({ inquiry }) => `/inquiries/${inquiry}`) },
  { name: "glass", at: "city-a-desk", open: signedInAbout("city-a", "kato", ({ glass }) => `/break-glass/${glass}`) },
  { name: "ask", at: "center-far-desk", open: signedInAbout("center-far", "ito", ({ asked }) => `/records/${asked}/ask`) },
  { name: "break-the-glass", at: "center-far-desk", open: signedInAbout("center-far", "ito", ({ offered }) => `/records/${offered}/break-glass`) },
  { name: "request-transfer", at: "city-b-desk", open: signedInAbout("city-b", "tanaka", ({ asked }) => `/records/${asked}/request-transfer`) },
  { name: "offer", at: "city-a-desk", open: signedInAbout("city-a", "sato", ({ asked }) => `/records/${asked}/offer`) },
  { name: "transfer-given", at: "city-a-desk", open: signedInAbout("city-a", "kato", ({ transfer }) => `/transfers/${transfer}`) },
  { name: "transfer-received", at: "city-b-desk", open: signedInAbout("city-b", "hara", ({ transfer }) => `/transfers/${transfer}`) },
  { name: "record-provided", at: "city-b-desk", open: signedInAbout("city-b", "hara", ({ offered }) => `/records/${offered}?purpose=transfer`) },
  { name: "close", at: "city-a-desk", open: signedInAbout("city-a", "kato", ({ asked }) => `/records/${asked}/close`) },
  { name: "history", at: "city-a-desk", open: signedInAbout("city-a", "sato", ({ asked }) => `/records/${asked}/history`) },
  { name: "version", at: "city-a-desk", open: signedInAbout("city-a", "sato", ({ asked }) => `/records/${asked}/versions/1`) },
  { name: "section-opened", at: "city-a-desk", open: signedInAbout("city-a", "sato", ({ asked }) => `/records/${asked}/sections/contact`) },
  { name: "designate", at: "city-a-desk", open: signedInAbout("city-a", "kato", ({ asked }) => `/records/${asked}/serious`) },
  { name: "serious-case", at: "ministry-desk", open: signedInAbout("ministry", "yamada", ({ serious }) => `/serious/${serious}`) },
  { name: "staffing-report", at: "center-a-desk", open: signedInAs("center-a", "ono", "/staffing/report") },
  { name: "proof", at: "city-a-desk", open: openProof },
  { name: "disclosures-of-ours", at: "city-a-desk", open: signedInAs("city-a", "abe", "/disclosures") },
  { name: "staff", at: "city-a-desk", open: signedInAs("city-a", "admin", "/staff") },
  { name: "staff-member", at: "city-a-desk", open: signedInAs("city-a", "admin", "/staff/sato") },
  { name: "terminals", at: "city-a-desk", open: signedInAs("city-a", "admin", "/terminals") },
  { name: "settings-sign-in", at: "city-a-desk", open: signedInAs("city-a", "admin", "/settings/sign-in") },
  { name: "organization", at: "operator-desk", open: signedInAs("operator", "chair1", "/organizations/131016") },
  { name: "second-factor-there", at: "city-a-desk", open: signedInAs("city-a", "sato", "/second-factor") },
  { name: "no-such-page", at: "city-a-desk", open: signedInAs("city-a", "sato", "/no-such-page") },
  { name: "unregistered-terminal", at: "unregistered", open: (page) => page.goto("/sign-in") },
];

let invited = 0;
let seeds = 100;

/** Somebody new comes to the second step of enrolling. */
async function beginEnrolment(page, stage) {
  invited += 1;
  const officer = `new${invited}`;
  const asked = { do: "invite", party: "city-a", officer, name: "上田 葵", roles: ["caseworker"] };
  const { code } = await stage.ask(asked);
  await page.goto("/enrol");
  await fill(page, { code, officer });
  await send(page);
}

async function finishEnrolment(page, stage) {
  await beginEnrolment(page, stage);
  const secret = await page.locator("code.secret").innerText();
  const password = "hajimete no himitsu no kotoba";
  const second_factor = await stage.codeNow(secret);
  await fill(page, { new_password: password, repeated_password: password, second_factor });
  await send(page);
}

/** A record of city-a's: its id. */
async function aRecord(stage) {
  const { record } = await stage.ask({ do: "record", party: "city-a", seed: (seeds += 1) });
  return record;
}

async function openRecord(page, stage) {
  const record = await aRecord(stage);
  await signedInAs("city-a", "sato", `/records/${record}?purpose=casework`)(page, stage);
}

async function sendUnfinished(page, stage) {
  await signedInAs("city-a", "sato", "/records/new")(page, stage);
  await fill(page, { "index.child.name.written": "架空 花子", "index.child.birthDate.year": "30" });
  await send(page);
}

async function reportOfNobody(page, stage) {
  await signedInAs("city-a", "sato", "/intake")(page, stage);
  await fill(page, { child_name: "かくうざわ みお", birth_age: "7", address: "架空町2丁目 架空ハイツ", report: "昨夜23時頃から30分ほど、男性の怒鳴り声と子どもの泣き声。" });
  await send(page);
}

async function beginWithReport(page, stage) {
  await reportOfNobody(page, stage);
  await page.getByRole("button", { name: /新しい記録として受理する|register a new record/i }).click();
  await page.locator("form.sheet").waitFor();
}

/** What was received of a form is a draft. */
async function keepDraft(page, stage) {
  await sendUnfinished(page, stage);
  await page.goto("/drafts");
}

async function editRecord(page, stage) {
  await openRecord(page, stage);
  await page.locator("form[action$='/edit/begin'] button").click();
  await page.locator("form.sheet").waitFor();
}

async function attachToRecord(page, stage) {
  await openRecord(page, stage);
  await page.locator("a[href$='/attachments/new']").click();
  await page.locator("#file").waitFor();
}

async function attachPhoto(page, stage) {
  await attachToRecord(page, stage);
  await page.locator("#file").setInputFiles(PHOTO);
  await send(page);
  await page.waitForURL(/done=/);
}

/** The child of a record, found by its center. */
async function searchFor(page, stage) {
  const record = await aRecord(stage);
  await signedInAs("center-a", "suzuki", `/records/${record}?purpose=casework`)(page, stage);
  const name = (await page.locator("h1.child .nowrap").first().innerText()).trim();
  await page.goto("/search");
  await fill(page, { child_name: name, case_reference: "夜-R8-0412" });
  await send(page);
}

/** The child of another body's record: four items, and what one may do. */
async function searchFromElsewhere(page, stage) {
  const { child } = await scene(stage);
  await signedInAs("center-far", "ito", "/search")(page, stage);
  await fill(page, { child_name: child, case_reference: "北-R8-0412" });
  await send(page);
}

async function searchForNobody(page, stage) {
  await signedInAs("center-a", "suzuki", "/search")(page, stage);
  await fill(page, { child_name: "架空無名", case_reference: "夜-R8-0413" });
  await send(page);
}

async function searchForTooLittle(page, stage) {
  await signedInAs("center-a", "suzuki", "/search")(page, stage);
  await fill(page, { child_name: "ア" });
  await send(page);
}

async function searchOwn(page, stage) {
  await aRecord(stage);
  await signedInAs("city-a", "sato", "/records")(page, stage);
  await page.locator("main details summary").click();
  await fill(page, { name: "架空無名" });
  await page.getByRole("button", { name: "自機関の記録を検索する" }).or(page.getByRole("button", { name: "Search our records" })).click();
  await page.waitForLoadState();
}

async function openProof(page, stage) {
  await scene(stage);
  await signedInAs("city-a", "abe", "/disclosures")(page, stage);
  await page.locator("a[href$='/proof']").first().click();
  await page.waitForURL(/proof$/);
}

async function openShield(page, stage) {
  const record = await aRecord(stage);
  await signedInAs("city-a", "sato", `/records/${record}/shield`)(page, stage);
}

async function editNotice(page, stage) {
  await ownNotice(page, stage);
  await page.goto(`${new URL(page.url()).pathname}/edit`);
}

async function ownNotice(page, stage) {
  await signedInAs("center-a", "suzuki", "/missing/new")(page, stage);
  await fill(page, {
    name: "架空 太郎", kana: "カクウ タロウ", birth_date: "2018-04-01", circumstances: "登校後に所在不明。身長120cm。", contact: "00-0000-0199",
  });
  await send(page);
}
