//! What somebody does with a copy that is thrown away: acts that rest on rows which no call shows.

use serde_json::{Value, json as j};
use tsunagi::{
    client::{Client, Credentials, Reply},
    domain::organization::OrganizationCode,
    operations::elapse::elapse,
};
use tsunagi_testkit::persons::{DeskPerson, DeskPlace};

use super::{
    house::{House, Served},
    questions::{Answer, Answers},
    story::REPEATED,
};
use crate::harness::*;

/// Somebody's desk, in a copy.
fn person(house: &House, served: &Served, desk: &str, code: &str, officer: &str) -> DeskPerson {
    let place = DeskPlace {
        address: served.server.address,
        credentials: Credentials { directory: house.certificates.clone(), name: desk.to_owned() },
        clock: served.clock.clone(),
        devices: served.copy.directory.join("devices"),
    };
    DeskPerson::known(&place, &OrganizationCode::parse(code).unwrap(), officer)
}

/// Does it all; what is answered.
pub async fn act(house: &House, served: &Served) -> Answers {
    let mut answers = Answers::new();
    let due = elapse(&served.server.serving.gateway).await;
    answers.insert("what is due".to_owned(), Answer::of_ours(due.is_ok(), j!(due.ok())));
    let mut told = |what: &str, reply: Reply| {
        answers.insert(what.to_owned(), house.questions.answer(&reply));
    };
    let [city, other, far] = ["city", "other", "far"].map(|name| client(house, served, name));
    let ids = &house.life.ids;
    sign_in(house, served, &mut told).await;

    let again = city.post("/v1/records").header("idempotency-key", REPEATED).xml(family(CITY_A).to_xml());
    told("registered again", again.send().await.unwrap());
    let update = |record: &str| city.put(&format!("/v1/records/{}", ids[record])).xml(family(CITY_A).to_xml());
    told("an update under a lock", update("locked").if_match(1).send().await.unwrap());
    told("an update", update("serious").if_match(1).send().await.unwrap());
    told("an update of an older version", update("photo").if_match(1).send().await.unwrap());
    told("a lock", city.put(&format!("/v1/records/{}/edit-lock", ids["locked"])).send().await.unwrap());
    told("a step", other.post(&format!("/v1/transfers/{}/confirm", ids["transfer"])).send().await.unwrap());
    let answer = far.post(&format!("/v1/missing-notices/{}/answers", ids["notice"]));
    told("an answer", answer.json(&j!({ "answer": "not_here" })).send().await.unwrap());
    let staff = j!({ "id": "d1", "name": "別人", "roles": ["viewer"] });
    told("an id again", city.post("/v1/staff").json(&staff).send().await.unwrap());
    told("keys", client(house, served, "operator").post("/v1/keys/retirements").send().await.unwrap());
    answers
}

fn client<'a>(house: &House, served: &'a Served, name: &str) -> &'a Client {
    &served.clients[house.questions.callers.iter().position(|caller| caller.name == name).unwrap()]
}

async fn sign_in(house: &House, served: &Served, told: &mut impl FnMut(&str, Reply)) {
    let ids = &house.life.ids;
    let second = person(house, served, "city-desk", CITY_A, "sup2");
    let code = second.next_code();
    let signed = second.sign_in_at(second.desk(), Some(&code)).await.unwrap();
    let token = signed.json::<Value>().ok().and_then(|signed| Some(signed["token"].as_str()?.to_owned()));
    told("signing in", signed);
    told("a code again", second.sign_in_at(second.desk(), Some(&code)).await.unwrap());
    let night = person(house, served, "far-desk", FAR_CENTER, "o1");
    told("a recovery code", night.sign_in_at(night.desk(), Some(&house.life.recovery_code)).await.unwrap());
    let desk = second.desk().client().unwrap();
    for number in 0..3 {
        let wrong = j!({ "officer": "d1", "password": "not the right one at all" });
        told(&format!("wrong try {number}"), desk.post("/v1/sessions").json(&wrong).send().await.unwrap());
    }
    let enrol = j!({ "code": ids["code"], "officer": "d8" });
    told("a code to enrol with", desk.post("/v1/enrolments/tickets").json(&enrol).send().await.unwrap());
    let desk = desk.with_token(token.unwrap_or_else(|| "nobody".to_owned()));
    for path in [
        format!("/v1/waiting-acts/{}/confirmation", ids["lift"]),
        format!("/v1/disposals/{}/approval", ids["disposal"]),
    ] {
        told(&path, desk.post(&path).send().await.unwrap());
    }
}
