// The pages, each in the states in which somebody meets it: what the tests hold against the rules for everybody, and
// what `make screenshots` draws. A new page has a line here.
import { fill, send, signIn } from "./desk.mjs";

const signedInAs = (party, officer, path) => async (page, stage) => {
  await signIn(page, stage, stage.person(party, officer));
  if (path) await page.goto(path);
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
  { name: "second-factor-there", at: "city-a-desk", open: signedInAs("city-a", "sato", "/second-factor") },
  { name: "no-such-page", at: "city-a-desk", open: signedInAs("city-a", "sato", "/no-such-page") },
  { name: "unregistered-terminal", at: "unregistered", open: (page) => page.goto("/sign-in") },
];

let invited = 0;

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
