//! A life with rows in every table, in two halves: what stood at the half is what somebody sets rows back to.

use std::collections::BTreeMap;

use serde_json::{Value, json as j};
use tsunagi::{
    client::Reply,
    keys::keyring::{Keyring, NewMaster},
    wire::{json as json_form, xml},
};
use tsunagi_testkit::{people::Family, persons::DeskPerson, world::Party};

use crate::harness::*;

/// Who lives it, and what it has made: ids by what they are of.
pub struct Life {
    pub stage: Stage,
    pub city: Party,
    pub other: Party,
    pub center: Party,
    pub far: Party,
    pub prefecture: Party,
    pub ministry: Party,
    /// Two supervisors of the city.
    pub two: [DeskPerson; 2],
    /// A person of the far center who has recovery codes.
    pub night: DeskPerson,
    pub ids: BTreeMap<&'static str, String>,
}

/// Records of the city.
pub const RECORDS: [&str; 8] = ["photo", "shielded", "locked", "offered", "moved", "asked", "glass", "serious"];
/// Drafts of the city: what they say at first, and their ids.
pub const DRAFTS: [(&str, &str); 3] = [
    ("書き始め", "6f1c2a30-51f0-4a5e-9d3b-000000000001"),
    ("送信済み", "6f1c2a30-51f0-4a5e-9d3b-000000000002"),
    ("別の下書き", "6f1c2a30-51f0-4a5e-9d3b-000000000003"),
];
/// What the city sent under a key of its own, so that it can send it again.
pub const REPEATED: &str = "registered-once";

fn done(reply: Reply) -> Value {
    assert!(reply.status.is_success(), "{} {}", reply.status, reply.text());
    json(&reply)
}

fn id(reply: &Value, of: &str) -> String {
    reply[of].as_str().unwrap_or_else(|| panic!("no {of} in {reply}")).to_owned()
}

async fn post(party: &Party, path: &str, message: Value) -> Value {
    done(party.client.post(path).json(&message).send().await.unwrap())
}

async fn put(party: &Party, path: &str, message: Value) -> Value {
    done(party.client.put(path).json(&message).send().await.unwrap())
}

fn line(child: &str) -> String {
    let family = Family { child: child.to_owned(), ..family(CITY_A) };
    json_form::write(xml::read(family.to_xml().as_bytes()).unwrap().sections()).to_string()
}

fn notice(contact: &str) -> Value {
    j!({
        "status": "exercise",
        "child": { "name": "髙橋 花子", "kana": "タカハシ ハナコ", "sex": "2", "birth_date": "H30.4.1", "guardians": [] },
        "circumstances": "紺色の上着", "contact": contact,
    })
}

fn completeness() -> Value {
    let missing = j!({ "state": "missing", "reason": "なし" });
    j!({ "photos": missing, "risk_sheet": missing, "urgency": missing })
}

impl Life {
    /// The city of seven years ago, with records that are due by now; then everybody else, and today.
    pub async fn begin() -> Self {
        let stage = Stage::years_ago(7).await;
        let city = stage.party("city", CITY_A).await;
        let mut ids = BTreeMap::new();
        for old in ["old", "older"] {
            let grown_up = Family { birth_date: "1990-04-01".into(), ..family(CITY_A) };
            let record = register(&city, &grown_up).await;
            done(city.client.post(&format!("/v1/records/{record}/close")).if_match(1).send().await.unwrap());
            ids.insert(old, record);
        }
        stage.world.clock.advance(time::Duration::days(7 * 366));
        let [other, center, far, prefecture, ministry] = [
            stage.party("other", CITY_B).await,
            stage.party("center", CENTER_A).await,
            stage.party("far", FAR_CENTER).await,
            stage.party("prefecture", "120006").await,
            stage.party("ministry", "ministry").await,
        ];
        let two = two_supervisors(&stage, &city).await;
        let night = stage.world.seat(&far, "o1").await.unwrap();
        let mut people = tsunagi_testkit::people::People::seeded(7);
        for name in RECORDS {
            let child = Family { child: format!("髙橋 {name}"), ..people.family(CITY_A) };
            ids.insert(name, register(&city, &child).await);
        }
        Self { stage, city, other, center, far, prefecture, ministry, two, night, ids }
    }

    pub fn record(&self, name: &str) -> String {
        format!("/v1/records/{}", self.ids[name])
    }

    /// What everybody has done at the half.
    pub async fn first_half(&mut self) {
        self.records_at_first().await;
        self.others_at_first().await;
        self.people_at_first().await;
    }

    async fn records_at_first(&mut self) {
        let (city, other, far) = (&self.city, &self.other, &self.far);
        self.attach("photo").await;
        put(city, &format!("{}/shield", self.record("shielded")), j!({ "kind": "1", "since": "2026-04-01" })).await;
        done(city.client.put(&format!("{}/edit-lock", self.record("locked"))).send().await.unwrap());
        let request = j!({ "record": self.ids["offered"], "reason": "当市に転入した" });
        let asked = post(other, "/v1/transfers/requests", request).await;
        let handed = self.hand_over(city, other, "moved").await;
        let glass = j!({ "reason": "夜間に負傷した児童を保護した" });
        let glass = done(self.night.post(&format!("{}/break-glass", self.record("glass")), &glass).await.unwrap());
        let question = j!({ "text": "当所に来所した児童か" });
        let inquiry = post(far, &format!("{}/inquiries", self.record("asked")), question).await;
        post(city, &format!("{}/serious", self.record("serious")), j!({ "note": "重大な被害があった" })).await;
        for (name, draft) in DRAFTS {
            self.save_draft(draft, name).await;
        }
        let once = city.client.post("/v1/records").header("idempotency-key", REPEATED).xml(family(CITY_A).to_xml());
        let once = done(once.send().await.unwrap());
        self.ids.insert("repeated", id(&once, "record"));
        self.ids.insert("transfer", id(&asked, "transfer"));
        self.ids.insert("handed", handed);
        self.ids.insert("broken", id(&glass, "break_glass"));
        self.ids.insert("inquiry", id(&inquiry, "inquiry"));
    }

    async fn save_draft(&self, draft: &str, content: &str) {
        let request = self.city.client.put(&format!("/v1/drafts/{draft}"));
        done(request.body("application/octet-stream", content.to_owned()).send().await.unwrap());
    }

    async fn attach(&self, name: &str) -> String {
        let photo = crate::photos::jpeg(name);
        let attach = self.city.client.post(&format!("{}/attachments", self.record(name)));
        id(&done(attach.body("image/jpeg", photo).send().await.unwrap()), "attachment")
    }

    /// A record changes hands; returns the transfer.
    async fn hand_over(&self, from: &Party, to: &Party, name: &str) -> String {
        let offer = j!({ "record": self.ids[name], "receiver": to.code, "completeness": completeness() });
        let transfer = id(&post(from, "/v1/transfers", offer).await, "transfer");
        for step in ["confirm", "take-over"] {
            done(to.client.post(&format!("/v1/transfers/{transfer}/{step}")).send().await.unwrap());
        }
        transfer
    }

    async fn others_at_first(&mut self) {
        let (city, center) = (&self.city, &self.center);
        let announced = post(center, "/v1/missing-notices", notice("当直 03-0000-0000")).await;
        done(self.far.client.get("/v1/inbox").send().await.unwrap());
        put(center, "/v1/staffing-reports/2026", self.staffing(31)).await;
        put(city, "/v1/retention", j!({ "rules": { "in_need_of_protection": { "years": 6, "age": 25 } } })).await;
        let disposal = post(city, "/v1/disposals", j!({ "records": [self.ids["old"]] })).await;
        post(city, "/v1/inbox/acknowledgements", j!({ "position": 1 })).await;
        let batch = self.batch("first-batch", &["架空 一", "架空 二"]).await;
        put(city, "/v1/settings", j!({ "hide": { "counterpart": ["support"] } })).await;
        self.rewrap().await;
        self.ids.insert("notice", id(&announced, "notice"));
        self.ids.insert("disposal", id(&disposal, "disposal"));
        self.ids.insert("batch", batch);
    }

    fn staffing(&self, officers: u32) -> Value {
        j!({ "child_welfare_officers": officers, "supervising_officers": 5, "psychologists": 12, "doctors": 2,
            "public_health_nurses": 3, "lawyers": 1, "shelter_staff": 20 })
    }

    async fn batch(&self, key: &str, children: &[&str]) -> String {
        let body = children.iter().map(|child| line(child)).collect::<Vec<_>>().join("\n");
        let request = self.city.client.post("/v1/batches").header("idempotency-key", key);
        id(&done(request.body("application/x-ndjson", body).send().await.unwrap()), "batch")
    }

    /// Every key is wrapped anew under a new master key.
    async fn rewrap(&self) {
        let config = &self.stage.world.premises.config;
        Keyring::load(&config.keyring).unwrap().rotate(NewMaster::AsBefore).unwrap();
        let operator = &self.stage.world.operator;
        done(operator.post("/v1/keys/rewraps").send().await.unwrap());
        loop {
            let keys = done(operator.get("/v1/keys").send().await.unwrap());
            if keys["rewrap"]["finished_at"].is_string() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn people_at_first(&mut self) {
        let (stage, city) = (&self.stage, &self.city);
        stage.world.seat_new(city, "d1", &["caseworker"]).await.unwrap();
        self.wrong_tries(2).await;
        put(city, "/v1/sign-in-policy", j!({ "password_days": 90 })).await;
        city.first.appoint("o2", &ALL_ROLES).await.unwrap();
        city.first.appoint("d9", &["viewer"]).await.unwrap();
        let manager = &city.first.credential_manager;
        done(manager.post(&format!("/v1/staff/{CITY_A}/d9/credential"), &Value::Null).await.unwrap());
        stage.world.add_terminal("spare", city, "o1").await.unwrap();
        let lift = format!("{}/shield/lift-requests", self.record("shielded"));
        let lift = done(self.two[0].post(&lift, &Value::Null).await.unwrap());
        self.ids.insert("lift", id(&lift, "waiting_act"));
    }

    async fn wrong_tries(&self, tries: usize) {
        let desk = self.two[0].desk().client().unwrap();
        for officer in ["d1", "sup2"].iter().cycle().take(tries * 2) {
            let wrong = j!({ "officer": officer, "password": "not the right one at all" });
            assert_eq!(desk.post("/v1/sessions").json(&wrong).send().await.unwrap().status, 401);
        }
    }

    /// What everybody has done in the end: nearly every row of the half is another one.
    pub async fn second_half(&mut self) {
        self.records_at_last().await;
        self.others_at_last().await;
        self.people_at_last().await;
    }

    async fn records_at_last(&mut self) {
        let (city, other) = (&self.city, &self.other);
        let attachment = self.attach("photo").await;
        self.attach("locked").await;
        let update = city.client.put(&self.record("photo")).if_match(1).xml(family(CITY_A).to_xml());
        done(update.send().await.unwrap());
        let naming = format!("{}/shield/naming-requests", self.record("shielded"));
        done(by_two(&self.two, &naming, &j!({ "named": [CENTER_A] })).await);
        let lock = format!("{}/edit-lock", self.record("locked"));
        done(city.client.request(axum::http::Method::DELETE, &lock).send().await.unwrap());
        done(city.client.put(&lock).header("tsunagi-officer", "o2").send().await.unwrap());
        done(city.client.put(&format!("{}/edit-lock", self.record("asked"))).send().await.unwrap());
        let offer = format!("/v1/transfers/{}/offer", self.ids["transfer"]);
        post(city, &offer, j!({ "completeness": completeness() })).await;
        self.hand_over(other, city, "moved").await;
        let inquiry = format!("/v1/inquiries/{}/answer", self.ids["inquiry"]);
        post(city, &inquiry, j!({ "text": "折り返し連絡する" })).await;
        done(city.client.post(&format!("/v1/break-glass/{}/review", self.ids["broken"])).send().await.unwrap());
        let glass = j!({ "reason": "緊急の保護" });
        done(self.night.post(&format!("{}/break-glass", self.record("photo")), &glass).await.unwrap());
        let question = j!({ "text": "同居の児童は" });
        post(&self.far, &format!("{}/inquiries", self.record("photo")), question).await;
        self.save_draft(DRAFTS[0].1, "書き足した").await;
        let sent = city.client.request(axum::http::Method::DELETE, &format!("/v1/drafts/{}", DRAFTS[1].1));
        done(sent.send().await.unwrap());
        let review = format!("/v1/serious-cases/{}/reviews", self.ids["serious"]);
        post(&self.ministry, &review, j!({ "note": "引き継ぎの遅れを検証した" })).await;
        self.ids.insert("attachment", attachment);
    }

    async fn others_at_last(&mut self) {
        let (city, center, far) = (&self.city, &self.center, &self.far);
        let path = format!("/v1/missing-notices/{}", self.ids["notice"]);
        done(far.client.get(&path).send().await.unwrap());
        post(far, &format!("{path}/answers"), j!({ "answer": "sighted", "details": "駅前で見かけた" })).await;
        done(center.client.put(&path).if_match(1).json(&notice("当直 03-0000-0001")).send().await.unwrap());
        put(center, "/v1/staffing-reports/2026", self.staffing(32)).await;
        put(far, "/v1/staffing-reports/2026", self.staffing(40)).await;
        put(city, "/v1/retention", j!({ "rules": { "in_need_of_protection": { "years": 7, "age": 25 } } })).await;
        put(city, "/v1/retention", j!({ "rules": { "in_need_of_protection": { "years": 5, "age": 26 } } })).await;
        let rule = j!({ "rules": { "in_need_of_protection": { "years": 8, "age": 25 } } });
        put(&self.other, "/v1/retention", rule).await;
        let approval = format!("/v1/disposals/{}/approval", self.ids["disposal"]);
        done(self.two[0].post(&approval, &Value::Null).await.unwrap());
        let second = id(&post(city, "/v1/disposals", j!({ "records": [self.ids["older"]] })).await, "disposal");
        done(city.client.post(&format!("/v1/disposals/{second}/withdrawal")).send().await.unwrap());
        post(city, "/v1/inbox/acknowledgements", j!({ "position": 3 })).await;
        post(far, "/v1/inbox/acknowledgements", j!({ "position": 2 })).await;
        self.batch("second-batch", &["架空 三"]).await;
        put(city, "/v1/settings", j!({ "hide": { "counterpart": ["support", "affiliation"] } })).await;
        self.rewrap().await;
    }

    async fn people_at_last(&mut self) {
        let (stage, city) = (&self.stage, &self.city);
        self.wrong_tries(1).await;
        put(city, "/v1/sign-in-policy", j!({ "password_days": 60 })).await;
        put(&self.far, "/v1/sign-in-policy", j!({ "password_days": 45 })).await;
        city.first.change(&j!({ "id": "d1", "name": "改姓 後", "roles": ["caseworker", "viewer"] })).await.unwrap();
        city.first.appoint("d8", &["viewer"]).await.unwrap();
        let manager = &city.first.credential_manager;
        let issued = manager.post(&format!("/v1/staff/{CITY_A}/d8/credential"), &Value::Null).await.unwrap();
        let code = id(&done(issued), "code");
        let spare = stage.world.add_terminal("spare-2", city, "o1").await.unwrap();
        done(stage.world.operator.post(&format!("/v1/terminals/{}/revoke", spare.serial)).send().await.unwrap());
        let operators = stage.world.operators().await.unwrap();
        let connected = j!({ "code": CITY_B, "relay_desk": "児童家庭課 076-000-0000" });
        done(operators.administrator.post("/v1/organizations", &connected).await.unwrap());
        for person in &self.two {
            person.sign_in_anew().await.unwrap();
        }
        self.night.sign_in_anew().await.unwrap();
        self.ids.insert("code", code);
    }
}
