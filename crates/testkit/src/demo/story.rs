//! The story, step by step, through the API.

use serde_json::{Value, json};
use tsunagi::{
    cli::ledger::verify,
    client::{Reply, expect},
    ledger::evidence::Evidence,
};

use super::narrator::Narrator;
use crate::{
    people::{Family, People},
    world::{Party, World, WorldError},
};

/// The parties of the story.
pub struct Cast {
    pub city_a: Party,
    pub center_a: Party,
    pub city_b: Party,
    pub far_center: Party,
    pub prefecture: Party,
    pub ministry: Party,
}

const CASEWORK: &[&str] = &["viewer", "caseworker", "supervisor", "auditor"];
const CITY_A: &str = "122327";

impl Cast {
    /// Connects them, each with a certificate of its own.
    ///
    /// # Errors
    /// The gateway refused one.
    pub async fn connect(world: &World) -> Result<Self, WorldError> {
        Ok(Self {
            city_a: world.connect("city-a", CITY_A, "sato", CASEWORK).await?,
            center_a: world.connect("center-a", "120006-04", "suzuki", CASEWORK).await?,
            city_b: world.connect("city-b", "172014", "tanaka", CASEWORK).await?,
            far_center: world.connect("center-far", "010006-01", "ito", CASEWORK).await?,
            prefecture: world.connect("prefecture", "120006", "hayashi", CASEWORK).await?,
            ministry: world.connect("ministry", "ministry", "yamada", CASEWORK).await?,
        })
    }

    pub fn parties(&self) -> [&Party; 6] {
        [&self.city_a, &self.center_a, &self.city_b, &self.far_center, &self.prefecture, &self.ministry]
    }
}

/// Plays every step.
///
/// # Errors
/// A call that the story builds on was refused; a mere expectation that does not hold goes to the narrator.
pub async fn play(world: &World, cast: &Cast, narrator: &mut Narrator) -> Result<(), WorldError> {
    let record = register(cast, narrator).await?;
    update(cast, narrator, &record).await?;
    search(cast, narrator, &record).await?;
    transfer(cast, narrator, &record).await?;
    missing_child(cast, narrator).await?;
    oversight(cast, narrator, &record).await?;
    account(cast, narrator).await?;
    revoke(world, cast, narrator).await
}

fn family() -> Family {
    Family {
        child: "髙橋 花子".into(),
        child_kana: "タカハシ ハナコ".into(),
        sex: "2".into(),
        birth_date: "H30.4.1".into(),
        guardian: "髙橋 誠".into(),
        guardian_kana: "タカハシ マコト".into(),
        former_guardian: Some("早乙女 誠".into()),
        assessed: true,
        ..People::seeded(99).family(CITY_A)
    }
}

fn body(reply: &Reply) -> Value {
    reply.json().unwrap_or(Value::Null)
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Groups of a record view that were withheld.
fn withheld(view: &Value) -> Vec<String> {
    let items = view.get("items").and_then(Value::as_object);
    let is_withheld = |item: &Value| item.get("withheld").is_some();
    items.into_iter().flatten().filter(|(_, item)| is_withheld(item)).map(|(group, _)| group.clone()).collect()
}

fn shown(view: &Value) -> Vec<String> {
    let items = view.get("items").and_then(Value::as_object);
    let is_shown = |item: &Value| item.get("shown").is_some();
    items.into_iter().flatten().filter(|(_, item)| is_shown(item)).map(|(group, _)| group.clone()).collect()
}

async fn messages(party: &Party) -> Result<Vec<Value>, WorldError> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let page = body(&expect(party.client.get(&format!("/v1/inbox?after={after}")).send().await?, 200)?);
        let messages = page.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(last) = messages.last() else { return Ok(all) };
        after = last.get("position").and_then(Value::as_i64).unwrap_or(i64::MAX);
        all.extend(messages);
    }
}

/// The latest message of a kind.
async fn message(party: &Party, kind: &str) -> Result<Option<Value>, WorldError> {
    Ok(messages(party).await?.into_iter().rev().find(|message| text(message, "/kind") == kind))
}

async fn view(party: &Party, record: &str) -> Result<Reply, WorldError> {
    let purpose = if party.name == "ministry" { "serious_case_review" } else { "casework" };
    Ok(party.client.get(&format!("/v1/records/{record}")).purpose(purpose).send().await?)
}

async fn register(cast: &Cast, narrator: &mut Narrator) -> Result<String, WorldError> {
    narrator.chapter(1, "City A registers; its center finds the notice and opens the record");
    let bad = family().to_xml().replace("<sex>2</sex>", "<sex>7</sex>");
    let refused = cast.city_a.client.post("/v1/records").xml(bad).send().await?;
    narrator.act("city A", "sends a record with a wrong code");
    let fault = body(&refused);
    narrator.saw(&format!(
        "{} line {} {}: {}",
        text(&fault, "/code"),
        fault.pointer("/faults/0/line").unwrap_or(&Value::Null),
        text(&fault, "/faults/0/path"),
        text(&fault, "/faults/0/message_ja"),
    ));
    narrator.holds("refused with line, path and rule; nothing registered", refused.status.as_u16() == 422);

    let document = family().to_xml();
    let send =
        || cast.city_a.client.post("/v1/records").header("idempotency-key", "story-000001").xml(document.clone());
    let registered = expect(send().send().await?, 201)?;
    let record = text(&body(&registered), "/record").to_owned();
    narrator.act("city A", &format!("registers the record {record}"));
    narrator.proved_by(&registered.entries());
    let again = expect(send().send().await?, 201)?;
    narrator.holds("sent again under its Idempotency-Key, it is registered once", body(&again) == body(&registered));

    let notice = message(&cast.center_a, "record_registered").await?;
    let told = notice.is_some_and(|notice| notice.get("record").and_then(Value::as_str).is_some());
    narrator.holds("the center's inbox says so", told);
    let opened = expect(view(&cast.center_a, &record).await?, 200)?;
    narrator.act("center A", "opens it as counterpart");
    narrator.saw(&shown(&body(&opened)).join(", "));
    narrator.withheld(&withheld(&body(&opened)).join(", "));
    narrator.proved_by(&opened.entries());
    narrator.holds("the reporter is withheld", withheld(&body(&opened)).iter().any(|group| group == "reporter"));
    Ok(record)
}

async fn update(cast: &Cast, narrator: &mut Narrator, record: &str) -> Result<(), WorldError> {
    narrator.chapter(2, "City A updates with If-Match; a stale version is refused; history keeps each");
    let path = format!("/v1/records/{record}");
    let changed = family().to_xml().replace("週1回", "週2回");
    let updated = expect(cast.city_a.client.put(&path).if_match(1).xml(changed.clone()).send().await?, 200)?;
    narrator.act("city A", "updates version 1");
    narrator.proved_by(&updated.entries());
    let stale = cast.city_a.client.put(&path).if_match(1).xml(changed).send().await?;
    narrator.act("city A", "updates version 1 once more");
    narrator.saw(text(&body(&stale), "/detail"));
    narrator.holds("the stale version is refused", stale.status.as_u16() == 412);
    let history = cast.city_a.client.get(&format!("{path}/history")).purpose("casework").send().await?;
    let versions = body(&history).get("versions").and_then(Value::as_array).map_or(0, Vec::len);
    narrator.holds("history has both versions", versions == 2);
    Ok(())
}

async fn search(cast: &Cast, narrator: &mut Narrator, record: &str) -> Result<(), WorldError> {
    narrator.chapter(3, "A center in another prefecture searches the whole country");
    for (written, criteria) in [
        ("高橋花子 (new kanji)", json!({ "child_name": "高橋花子" })),
        ("たかはしはなこ (hiragana)", json!({ "child_name": "たかはしはなこ" })),
        ("ﾀｶﾊｼ ﾊﾅｺ (half width)", json!({ "child_name": "ﾀｶﾊｼ ﾊﾅｺ" })),
        ("早乙女誠 (guardian's former name)", json!({ "guardian_name": "早乙女誠" })),
    ] {
        let mut request = json!({ "purpose": "new_report", "case_reference": "R8-100" });
        if let (Some(request), Some(criteria)) = (request.as_object_mut(), criteria.as_object()) {
            request.extend(criteria.clone());
        }
        let reply = expect(cast.far_center.client.post("/v1/searches").json(&request).send().await?, 200)?;
        let found = body(&reply);
        let children = found.get("children").and_then(Value::as_array).cloned().unwrap_or_default();
        narrator.act("far center", &format!("searches {written}"));
        for child in children.iter().filter(|child| text(child, "/record") == record) {
            narrator.saw(&format!(
                "{} · sex {} · {} · guardian {} · call {} {}",
                text(child, "/name"),
                text(child, "/sex"),
                text(child, "/birth_date"),
                text(child, "/guardians/0"),
                text(child, "/contact/name"),
                text(child, "/contact/desk"),
            ));
        }
        narrator.proved_by(reply.entries().get(..2).unwrap_or_default());
        let hit = children.iter().any(|child| text(child, "/record") == record);
        narrator.holds("the child is found", hit);
    }
    let told = message(&cast.city_a, "record_found").await?.unwrap_or_default();
    let who = format!(
        "{} officer {} terminal {} purpose {}",
        text(&told, "/from_organization"),
        text(&told, "/from_officer"),
        text(&told, "/from_terminal"),
        text(&told, "/purpose")
    );
    narrator.act("city A", "finds in its inbox who looked");
    narrator.saw(&who);
    narrator.holds("with officer, terminal and purpose", text(&told, "/from_officer") == cast.far_center.officer);
    let browse = view(&cast.city_b, record).await?;
    narrator.act("city B", "tries to open city A's record");
    narrator.withheld(text(&body(&browse), "/code"));
    narrator.holds("cities do not browse each other", browse.status.as_u16() == 404);
    Ok(())
}

async fn step(party: &Party, transfer: &str, step: &str) -> Result<Reply, WorldError> {
    Ok(party.client.post(&format!("/v1/transfers/{transfer}/{step}")).send().await?)
}

async fn transfer(cast: &Cast, narrator: &mut Narrator, record: &str) -> Result<(), WorldError> {
    narrator.chapter(4, "The family has moved without notice: city B asks, city A offers, city B takes over");
    let criteria = json!({ "purpose": "transfer", "case_reference": "B-7", "child_name": "髙橋花子" });
    let found = expect(cast.city_b.client.post("/v1/searches").json(&criteria).send().await?, 200)?;
    narrator.act("city B", "finds the record by search");
    narrator.proved_by(found.entries().get(..1).unwrap_or_default());
    let request = json!({ "record": record, "reason": "届出なく当市に転入した" });
    let asked = expect(cast.city_b.client.post("/v1/transfers/requests").json(&request).send().await?, 201)?;
    let transfer = text(&body(&asked), "/transfer").to_owned();
    narrator.act("city B", "asks for a transfer");
    narrator.proved_by(&asked.entries());

    let included = json!({ "state": "included" });
    let missing = json!({ "state": "missing", "reason": "撮影していない" });
    let untrue = json!({ "urgent": true,
        "completeness": { "photos": included, "risk_sheet": included, "urgency": included } });
    let offer_path = format!("/v1/transfers/{transfer}/offer");
    let refused = cast.city_a.client.post(&offer_path).json(&untrue).send().await?;
    narrator.act("city A", "offers and claims photos that there are not");
    narrator.saw(text(&body(&refused), "/detail_ja"));
    narrator.holds("an untrue completeness is refused", refused.status.as_u16() == 422);
    let offer = json!({ "urgent": true, "message": "対面で引き継ぎます",
        "completeness": { "photos": missing, "risk_sheet": included, "urgency": included } });
    let offered = expect(cast.city_a.client.post(&offer_path).json(&offer).send().await?, 201)?;
    narrator.act("city A", &format!("offers it, urgent; safety check due {}", text(&body(&offered), "/safety_due_at")));
    narrator.proved_by(&offered.entries());

    let preview = expect(view(&cast.city_b, record).await?, 200)?;
    narrator.act("city B", "previews");
    narrator.saw(&shown(&body(&preview)).join(", "));
    narrator.withheld(&withheld(&body(&preview)).join(", "));
    narrator.holds("the address waits for the confirmation", withheld(&body(&preview)).iter().any(|g| g == "contact"));
    expect(step(&cast.city_b, &transfer, "confirm").await?, 200)?;
    let confirmed = expect(view(&cast.city_b, record).await?, 200)?;
    narrator.act("city B", "confirms and reads what was provided");
    narrator.saw(&shown(&body(&confirmed)).join(", "));
    expect(step(&cast.city_b, &transfer, "safety-check").await?, 200)?;
    let taken = expect(step(&cast.city_b, &transfer, "take-over").await?, 200)?;
    narrator.act("city B", "has seen the child, and takes the record over");
    narrator.proved_by(&taken.entries());
    let owner = body(&expect(view(&cast.city_b, record).await?, 200)?);
    narrator.holds("city B owns it", text(&owner, "/relation") == "owner");
    let former = body(&expect(view(&cast.city_a, record).await?, 200)?);
    narrator.holds("city A sees what it provided, as it was", text(&former, "/relation") == "former_owner");
    let late = step(&cast.city_a, &transfer, "offer").await?;
    narrator.holds("nothing moves an ended transfer", !late.status.is_success());

    narrator.act("city A", "offers another record on its own; city B rejects it");
    let other = expect(cast.city_a.client.post("/v1/records").xml(family().to_xml()).send().await?, 201)?;
    let offer = json!({ "record": text(&body(&other), "/record"), "receiver": cast.city_b.code,
        "completeness": { "photos": missing, "risk_sheet": included, "urgency": included } });
    let offered = expect(cast.city_a.client.post("/v1/transfers").json(&offer).send().await?, 201)?;
    let path = format!("/v1/transfers/{}/reject", text(&body(&offered), "/transfer"));
    let rejected = cast.city_b.client.post(&path).json(&json!({ "reason": "別の児童だった" })).send().await?;
    narrator.holds("rejected; city A still owns it", text(&body(&rejected), "/state") == "rejected");
    Ok(())
}

async fn missing_child(cast: &Cast, narrator: &mut Narrator) -> Result<(), WorldError> {
    narrator.chapter(5, "A center's child has vanished");
    let child = json!({ "name": "早乙女 凛", "kana": "サオトメ リン", "sex": "2", "birth_date": "2015-06-15" });
    let notice = json!({ "status": "actual", "child": child,
        "circumstances": "紺色の上着。夕方から所在不明。", "contact": "当直 03-0000-0000" });
    let sent = expect(cast.center_a.client.post("/v1/missing-notices").json(&notice).send().await?, 201)?;
    let written = body(&sent);
    let path = format!("/v1/missing-notices/{}", text(&written, "/notice"));
    narrator.act("center A", &format!("tells {} centers at once", written.get("centers").unwrap_or(&Value::Null)));
    narrator.proved_by(&sent.entries());
    messages(&cast.far_center).await?;
    expect(cast.far_center.client.get(&path).send().await?, 200)?;
    let answer = json!({ "answer": "sighted", "details": "駅前で保護した" });
    expect(cast.far_center.client.post(&format!("{path}/answers")).json(&answer).send().await?, 200)?;
    narrator.act("far center", "reads it and answers: sighted");
    let states = body(&expect(cast.center_a.client.get(&format!("{path}/centers")).send().await?, 200)?);
    let centers = states.get("centers").and_then(Value::as_array).cloned().unwrap_or_default();
    let count = |key: &str| centers.iter().filter(|center| center.get(key).is_some()).count();
    narrator.act("center A", "sees what each center did");
    narrator.saw(&format!(
        "delivered {} · read {} · answered {}",
        count("delivered_at"),
        count("read_at"),
        count("answered_at")
    ));
    narrator.holds("one has answered", count("answered_at") == 1);
    let peek = cast.far_center.client.get(&format!("{path}/centers")).send().await?;
    narrator.holds("only the issuer sees the answers", peek.status.as_u16() == 404);

    let mut found = family();
    (found.child, found.child_kana, found.birth_date) =
        ("早乙女 凛".into(), "サオトメ リン".into(), "2015-06-15".into());
    expect(cast.city_b.client.post("/v1/records").xml(found.to_xml().replace(CITY_A, "172014")).send().await?, 201)?;
    narrator.act("city B", "registers a child of that name and birth date");
    let alerted = message(&cast.center_a, "missing_child_registered").await?.is_some();
    narrator.holds("the issuer is alerted", alerted);
    let criteria = json!({ "purpose": "new_report", "case_reference": "R8-9", "child_name": "さおとめりん" });
    expect(cast.far_center.client.post("/v1/searches").json(&criteria).send().await?, 200)?;
    let alerted = message(&cast.center_a, "missing_child_searched").await?.is_some();
    narrator.holds("a search that matches alerts the issuer too", alerted);
    expect(cast.center_a.client.put(&path).if_match(1).json(&notice).send().await?, 200)?;
    expect(cast.center_a.client.post(&format!("{path}/cancel")).if_match(2).send().await?, 200)?;
    let searched = cast.far_center.client.post("/v1/missing-notices/searches").json(&json!({ "name": "早乙女" }));
    let old = body(&searched.send().await?);
    narrator.act("center A", "updates and cancels it");
    narrator.holds("an old notice is still found by centers", text(&old, "/0/state") == "cancel");
    Ok(())
}

async fn oversight(cast: &Cast, narrator: &mut Narrator, record: &str) -> Result<(), WorldError> {
    narrator.chapter(6, "A serious case before the ministry; the yearly staffing report");
    let before = view(&cast.ministry, record).await?;
    narrator.holds("the ministry reads no record that was not put before it", before.status.as_u16() == 404);
    let note = json!({ "note": "重大な被害があった" });
    let path = format!("/v1/records/{record}/serious");
    let designated = expect(cast.city_b.client.post(&path).json(&note).send().await?, 201)?;
    narrator.act("city B", "designates the record a serious case");
    narrator.proved_by(&designated.entries());
    let read = expect(view(&cast.ministry, record).await?, 200)?;
    narrator.act("ministry", "reads it as reviewer");
    narrator.saw(&shown(&body(&read)).join(", "));
    narrator.withheld(&withheld(&body(&read)).join(", "));
    narrator.proved_by(&read.entries());
    let review = json!({ "note": "引き継ぎの経過を検証した" });
    let path = format!("/v1/serious-cases/{record}/reviews");
    let reviewed = cast.ministry.client.post(&path).json(&review).send().await?;
    narrator.holds("and writes a review note", reviewed.status.as_u16() == 201);

    let report = json!({ "child_welfare_officers": 31, "supervising_officers": 5, "psychologists": 12, "doctors": 2,
        "public_health_nurses": 3, "lawyers": 1, "shelter_staff": 20 });
    expect(cast.center_a.client.put("/v1/staffing-reports/2026").json(&report).send().await?, 200)?;
    let listed = body(&expect(cast.ministry.client.get("/v1/staffing-reports/2026").send().await?, 200)?);
    let count = |key: &str| listed.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    narrator.act("ministry", "lists the staffing reports");
    narrator.saw(&format!("{} submitted, {} missing", count("submitted"), count("missing")));
    let csv = expect(cast.ministry.client.get("/v1/staffing-reports/2026/export").send().await?, 200)?;
    narrator.holds("and exports them", csv.text().contains(cast.center_a.code.as_str()));
    Ok(())
}

async fn account(cast: &Cast, narrator: &mut Narrator) -> Result<(), WorldError> {
    narrator.chapter(7, "The owner accounts for it, offline");
    let city = &cast.city_b;
    let earlier = expect(city.client.get("/v1/ledger/checkpoint").send().await?, 200)?.text();
    let size = earlier.lines().nth(1).unwrap_or_default().to_owned();
    let listed = body(&expect(city.client.get("/v1/disclosures").send().await?, 200)?);
    let lines = listed.get("disclosures").and_then(Value::as_array).cloned().unwrap_or_default();
    narrator.act("city B", "lists who saw its records");
    for line in lines.iter().filter(|line| text(line, "/entry/outcome") == "disclosed").take(5) {
        let groups = line.pointer("/entry/groups").and_then(Value::as_array).cloned().unwrap_or_default();
        let groups: Vec<&str> = groups.iter().filter_map(Value::as_str).collect();
        narrator.saw(&format!(
            "{} {} {} ({}) terminal {} · {} · {}",
            text(line, "/entry/at"),
            text(line, "/organization_name"),
            text(line, "/officer_name"),
            text(line, "/entry/officer"),
            text(line, "/entry/terminal"),
            groups.join("+"),
            text(line, "/entry/purpose"),
        ));
    }
    let key = expect(city.client.get("/v1/ledger/key").send().await?, 200)?.text();
    let fetched = expect(city.client.get(&format!("/v1/ledger/evidence?from={size}")).send().await?, 200)?;
    let evidence: Evidence = fetched.json()?;
    match verify(&key, &evidence, Some(&earlier)) {
        Ok(verified) => {
            narrator.act("city B", "verifies with the public key of the checkpoints and nothing else");
            narrator.saw(&format!(
                "{} entries included in the log of {} entries; {size} entries are its prefix",
                verified.entries.len(),
                verified.checkpoint.size
            ));
            narrator.holds("inclusion and consistency hold", !verified.entries.is_empty());
        }
        Err(refuted) => narrator.holds(&format!("inclusion and consistency hold: {refuted}"), false),
    }
    let mut edited = evidence;
    if let [first, second, ..] = edited.entries.as_mut_slice() {
        std::mem::swap(&mut first.entry, &mut second.entry);
    }
    narrator.holds("edited evidence is refuted", verify(&key, &edited, None).is_err());
    Ok(())
}

async fn revoke(world: &World, cast: &Cast, narrator: &mut Narrator) -> Result<(), WorldError> {
    narrator.chapter(8, "A certificate is lost; an officer leaves");
    let lost = world.add_terminal("city-b-lost", &cast.city_b, &cast.city_b.officer).await?;
    expect(lost.client.get("/v1/session").send().await?, 200)?;
    narrator.act("city B", "works on an open connection with the terminal that will be lost");
    let path = format!("/v1/terminals/{}/revoke", lost.serial);
    let revoked = expect(world.operator.post(&path).send().await?, 200)?;
    narrator.act("operator", "revokes the terminal");
    narrator.proved_by(&revoked.entries());
    let next = lost.client.get("/v1/session").send().await?;
    narrator.saw(text(&body(&next), "/code"));
    narrator
        .holds("its next request on the open connection is refused", text(&body(&next), "/code") == "terminal_revoked");

    world.add_staff(&cast.city_b, "leaver", &["viewer"]).await?;
    let leaver = cast.city_b.client.get("/v1/records").header("tsunagi-officer", "leaver");
    expect(leaver.send().await?, 200)?;
    let path = format!("/v1/staff/{}/leaver/revoke", cast.city_b.code);
    expect(world.operator.post(&path).send().await?, 200)?;
    narrator.act("operator", "revokes an officer");
    let next = cast.city_b.client.get("/v1/records").header("tsunagi-officer", "leaver").send().await?;
    narrator.saw(text(&body(&next), "/code"));
    narrator.holds("the officer's next request is refused", next.status.as_u16() == 401);
    Ok(())
}
