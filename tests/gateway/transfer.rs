//! Story step 4: a record changes hands, and has exactly one owner at every moment.

use serde_json::{Value, json as j};
use tsunagi::client::Reply;
use tsunagi_testkit::world::Party;

use crate::harness::*;

const MISSING: &str = "写真はない";

fn completeness(assessed: bool) -> Value {
    let part = if assessed { j!({ "state": "included" }) } else { j!({ "state": "missing", "reason": "未実施" }) };
    j!({ "photos": { "state": "missing", "reason": MISSING }, "risk_sheet": part, "urgency": part })
}

async fn step(party: &Party, transfer: &str, step: &str) -> Reply {
    let request = party.client.post(&format!("/v1/transfers/{transfer}/{step}"));
    let request = match step {
        "reject" | "withdraw" => request.json(&j!({ "reason": "別の児童だった" })),
        _ => request,
    };
    request.send().await.unwrap()
}

async fn offer(owner: &Party, record: &str, receiver: &str, urgent: bool) -> String {
    let offer = j!({ "record": record, "receiver": receiver, "urgent": urgent, "completeness": completeness(false) });
    let reply = owner.client.post("/v1/transfers").json(&offer).send().await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    json(&reply)["transfer"].as_str().unwrap().to_owned()
}

async fn owner_of(stage: &Stage, record: &str) -> String {
    let gateway = stage.world.gateway().unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let stored = tsunagi::store::records::find(&mut tx, record.parse().unwrap()).await.unwrap().unwrap();
    stored.facts.owner.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_that_found_the_record_asks_previews_confirms_and_owns_it() {
    let stage = Stage::new().await;
    let (a, b, center_b) =
        (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await, stage.party("center-b", CENTER_B).await);
    let mut assessed = family(CITY_A);
    assessed.assessed = true;
    let record = register(&a, &assessed).await;
    assert_eq!(children(&search(&b, j!({ "guardian_name": "髙橋誠" })).await).len(), 1);

    let request = j!({ "record": record, "reason": "当市に届出なく転入した" });
    let asked = b.client.post("/v1/transfers/requests").json(&request).send().await.unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text());
    let transfer = json(&asked)["transfer"].as_str().unwrap().to_owned();
    assert_eq!(inbox(&a).await.pop().unwrap()["kind"], "transfer_requested");
    assert_refused(&view(&b, &record).await, 404, "record_not_available");

    let offer_path = format!("/v1/transfers/{transfer}/offer");
    let claimed = j!({ "completeness": { "photos": { "state": "included" }, "risk_sheet": { "state": "included" }, "urgency": { "state": "included" } } });
    let untrue = a.client.post(&offer_path).json(&claimed).send().await.unwrap();
    assert_refused(&untrue, 422, "completeness");
    let offered = a.client.post(&offer_path).json(&j!({ "completeness": completeness(true) })).send().await.unwrap();
    assert_eq!((offered.status.as_u16(), &json(&offered)["state"]), (201, &j!("offered")), "{}", offered.text());

    // Preview first: the index, the case and how urgent it is; the rest once it is confirmed.
    let preview = json(&view(&b, &record).await);
    assert_eq!(preview["relation"], "receiver_preview");
    assert_eq!(preview["items"]["contact"], j!({ "withheld": true }));
    assert_eq!(preview["items"]["assessment"]["shown"]["urgency"]["value"], "A");
    let stated = json(&b.client.get(&format!("/v1/transfers/{transfer}")).send().await.unwrap());
    assert_eq!(stated["note"]["completeness"]["photos"]["reason"], MISSING);
    assert_refused(&step(&b, &transfer, "take-over").await, 409, "transfer_state");
    assert_eq!(step(&b, &transfer, "confirm").await.status, 200);
    let confirmed = json(&view(&b, &record).await);
    assert!(confirmed["items"]["contact"]["shown"].is_object());
    assert_eq!(confirmed["items"]["reporter"], j!({ "withheld": true }));
    assert_eq!(owner_of(&stage, &record).await, CITY_A);

    assert_eq!(step(&b, &transfer, "take-over").await.status, 200);
    assert_eq!(owner_of(&stage, &record).await, CITY_B);
    let owned = json(&view(&b, &record).await);
    assert_eq!((&owned["relation"], &owned["version"]), (&j!("owner"), &j!(2)));
    assert!(owned["items"].get("reporter").is_none(), "the reporter stays behind");
    let old = b.client.get(&format!("/v1/records/{record}/versions/1")).purpose("casework").send().await.unwrap();
    assert_refused(&old, 404, "record_not_available");
    assert_eq!(json(&view(&a, &record).await)["relation"], "former_owner");
    assert_eq!(json(&view(&center_b, &record).await)["relation"], "counterpart");
    let update =
        a.client.put(&format!("/v1/records/{record}")).if_match(2).xml(assessed.to_xml()).send().await.unwrap();
    assert_refused(&update, 404, "record_not_available");
    let found = children(&search(&center_b, j!({ "child_name": "高橋" })).await);
    assert_eq!(found[0]["contact"]["organization"], CITY_B);
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_rejected_withdrawn_and_expire() {
    let stage = Stage::new().await;
    let (a, b) = (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await);
    let record = register(&a, &family(CITY_A)).await;

    let first = offer(&a, &record, CITY_B, false).await;
    let second = j!({ "record": record, "receiver": FAR_CITY, "completeness": completeness(false) });
    let refused = a.client.post("/v1/transfers").json(&second).send().await.unwrap();
    assert_refused(&refused, 409, "transfer_open");
    assert_eq!(json(&step(&b, &first, "reject").await)["state"], "rejected");
    assert_refused(&view(&b, &record).await, 404, "record_not_available");
    assert_refused(&step(&b, &first, "confirm").await, 409, "transfer_state");

    let second = offer(&a, &record, CITY_B, false).await;
    assert_eq!(json(&step(&a, &second, "withdraw").await)["state"], "withdrawn");
    assert_refused(&step(&a, &second, "confirm").await, 409, "transfer_state");

    let third = offer(&a, &record, CITY_B, false).await;
    stage.world.clock.advance(time::Duration::days(31));
    assert_refused(&view(&b, &record).await, 404, "record_not_available");
    let elapsed = tsunagi::operations::elapse::elapse(stage.world.gateway().unwrap()).await.unwrap();
    assert_eq!(elapsed, 1);
    assert_refused(&step(&b, &third, "confirm").await, 409, "transfer_state");
    assert_eq!(owner_of(&stage, &record).await, CITY_A);
    assert_eq!(
        inbox_kinds(&b).await,
        ["transfer_offered", "transfer_offered", "transfer_withdrawn", "transfer_offered", "transfer_expired"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_transfer_has_a_clock_of_48_hours() {
    let stage = Stage::new().await;
    let (a, b, center_b) =
        (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await, stage.party("center-b", CENTER_B).await);
    let record = register(&a, &family(CITY_A)).await;
    let transfer = offer(&a, &record, CITY_B, true).await;
    let line = json(&b.client.get(&format!("/v1/transfers/{transfer}")).send().await.unwrap());
    assert_eq!((&line["urgent"], &line["face_to_face"]), (&j!(true), &j!(true)));
    assert!(line["safety_due_at"].is_string());

    let gateway = stage.world.gateway().unwrap();
    stage.world.clock.advance(time::Duration::hours(47));
    assert_eq!(tsunagi::operations::elapse::elapse(gateway).await.unwrap(), 0);
    stage.world.clock.advance(time::Duration::hours(2));
    assert_eq!(tsunagi::operations::elapse::elapse(gateway).await.unwrap(), 1);
    assert_eq!(tsunagi::operations::elapse::elapse(gateway).await.unwrap(), 0, "it escalates once");
    for party in [&a, &b, &center_b] {
        assert_eq!(inbox(party).await.pop().unwrap()["kind"], "safety_check_overdue");
    }
    let checked = step(&b, &transfer, "safety-check").await;
    assert!(json(&checked)["safety_checked_at"].is_string(), "{}", checked.text());
    assert_eq!(inbox(&a).await.pop().unwrap()["kind"], "safety_check_done");
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_steps_leave_one_owner() {
    let stage = Stage::new().await;
    let (a, b) = (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await);
    for _ in 0..5 {
        let record = register(&a, &family(CITY_A)).await;
        let transfer = offer(&a, &record, CITY_B, false).await;
        assert_eq!(step(&b, &transfer, "confirm").await.status, 200);
        let (other_a, other_b) = (stage.world.another(&a).unwrap(), stage.world.another(&b).unwrap());
        let path = |step: &str| format!("/v1/transfers/{transfer}/{step}");
        let reason = j!({ "reason": "取り下げ" });
        let (taken, again, withdrawn) = tokio::join!(
            async { b.client.post(&path("take-over")).send().await.unwrap().status.as_u16() },
            async { other_b.post(&path("take-over")).send().await.unwrap().status.as_u16() },
            async { other_a.post(&path("withdraw")).json(&reason).send().await.unwrap().status.as_u16() },
        );
        let won = [taken, again, withdrawn].iter().filter(|status| **status == 200).count();
        assert_eq!(won, 1, "{taken} {again} {withdrawn}");
        assert_eq!(owner_of(&stage, &record).await, if withdrawn == 200 { CITY_A } else { CITY_B });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shield_set_after_the_offer_holds_the_transfer_up() {
    let stage = Stage::new().await;
    let (a, b) = (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await);
    let record = register(&a, &family(CITY_A)).await;
    let transfer = offer(&a, &record, CITY_B, false).await;
    let shield = |named: Value| {
        let request = a.client.put(&format!("/v1/records/{record}/shield"));
        async move { request.json(&j!({ "kind": "1", "since": "R8.4.1", "named": named })).send().await.unwrap() }
    };
    let two = two_supervisors(&stage, &a).await;
    let naming = format!("/v1/records/{record}/shield/naming-requests");
    let name = async || by_two(&two, &naming, &j!({ "named": [CITY_B] })).await.status.as_u16();
    assert_eq!(shield(j!([])).await.status, 200);
    assert_refused(&step(&b, &transfer, "confirm").await, 409, "shield_forbids");
    assert_eq!(name().await, 200);
    assert_eq!(step(&b, &transfer, "confirm").await.status, 200);
    assert_eq!(shield(j!([])).await.status, 200);
    assert_refused(&step(&b, &transfer, "take-over").await, 409, "shield_forbids");
    assert_eq!(owner_of(&stage, &record).await, CITY_A);
    assert_eq!(name().await, 200);
    assert_eq!(step(&b, &transfer, "take-over").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_inquiry_goes_along_and_the_new_owner_alone_answers_it() {
    let stage = Stage::new().await;
    let (a, b, far) =
        (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await, stage.party("far", FAR_CENTER).await);
    let record = register(&a, &family(CITY_A)).await;
    let inquire = format!("/v1/records/{record}/inquiries");
    let asked = far.client.post(&inquire).json(&j!({ "text": "当所に来所した児童か" })).send().await.unwrap();
    let answer = format!("/v1/inquiries/{}/answer", json(&asked)["inquiry"].as_str().unwrap());
    let transfer = offer(&a, &record, CITY_B, false).await;
    let answered = async |party: &Party| party.client.post(&answer).json(&j!({ "text": "回答" })).send().await.unwrap();
    assert_refused(&answered(&b).await, 404, "not_found");
    for next in ["confirm", "take-over"] {
        assert_eq!(step(&b, &transfer, next).await.status, 200);
    }
    assert_refused(&answered(&a).await, 404, "not_found");
    assert_eq!(answered(&b).await.status, 200);
    assert_refused(&answered(&b).await, 409, "already_exists");
}
