//! Story step 3: a center in another prefecture searches the whole country.

use serde_json::json as j;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_written_another_way_finds_the_four_items_and_whom_to_call() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    let record = register(&city, &family(CITY_A)).await;
    for criteria in [
        j!({ "child_name": "高橋" }),
        j!({ "child_name": "たかはし" }),
        j!({ "child_name": "ﾀｶﾊｼ ﾊﾅ" }),
        j!({ "child_name": "花子" }),
        j!({ "guardian_name": "渡辺" }),
        j!({ "guardian_name": "髙橋誠", "child_name": "花" }),
        j!({ "child_name": "花", "birth": { "on": "平成30年" } }),
        j!({ "child_name": "高橋", "birth": { "from": "2018-01-01", "to": "H30.4.1" }, "sex": "2" }),
    ] {
        let found = children(&search(&far, criteria.clone()).await);
        assert_eq!(found.len(), 1, "{criteria}");
        let child = found[0].as_object().unwrap();
        let keys: Vec<&str> = child.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["record", "name", "sex", "birth_date", "guardians", "contact", "may_open", "rank", "matched"]
        );
        assert_eq!((&child["record"], &child["name"]), (&j!(record), &j!("髙橋 花子")));
        assert_eq!(
            (&child["sex"], &child["birth_date"], &child["guardians"]),
            (&j!("2"), &j!("2018-04-01"), &j!(["髙橋 誠"]))
        );
        assert_eq!(child["contact"]["organization"], CITY_A);
    }
    let former = children(&search(&far, j!({ "guardian_name": "渡辺" })).await);
    assert_eq!(former[0]["matched"], j!([{ "person": "guardian", "form": "former" }]));
    for criteria in [j!({ "child_name": "鈴木" }), j!({ "child_name": "高橋", "birth": { "on": "2017" } })] {
        let none = search(&far, criteria).await;
        assert!(children(&none).is_empty());
        assert!(json(&none)["coverage"]["organizations_connected"].as_u64().unwrap() >= 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_learns_who_looked_from_where_and_why() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    let record = register(&city, &family(CITY_A)).await;
    let reply = search(&far, j!({ "child_name": "高橋" })).await;
    assert_eq!(children(&reply).len(), 1);
    assert_eq!(reply.entries().len(), 2, "one entry for the search, one for the child shown");

    let message = &inbox(&city).await[0];
    assert_eq!((&message["kind"], &message["record"]), (&j!("record_found"), &j!(record)));
    assert_eq!((&message["from_organization"], &message["from_officer"]), (&j!(FAR_CENTER), &j!("o1")));
    assert_eq!((&message["from_terminal"], &message["purpose"]), (&j!(far.serial), &j!("new_report")));
    let entry = &disclosures(&city).await[0];
    assert_eq!(
        (&entry["act"], &entry["outcome"], &entry["relation"]),
        (&j!("search_hit"), &j!("disclosed"), &j!("outsider"))
    );
    assert_eq!((&entry["groups"], &entry["id"]), (&j!(["index"]), &j!(reply.entries()[1])));
    assert_eq!(entry["legal_basis"], "abuse_prevention_act_13_4");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_browses_what_search_alone_may_show() {
    let stage = Stage::new().await;
    let (city, other, far) =
        (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await, stage.party("far", FAR_CENTER).await);
    let record = register(&city, &family(CITY_A)).await;
    for outsider in [&other, &far] {
        assert_refused(&view(outsider, &record).await, 404, "record_not_available");
        let path = format!("/v1/records/{record}/history");
        let history = outsider.client.get(&path).purpose("casework").send().await.unwrap();
        assert_refused(&history, 404, "record_not_available");
    }
    let absent = view(&other, "01900000-0000-7000-8000-000000000000").await;
    assert_refused(&absent, 404, "record_not_available");
    let refusals = json(&other.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let refused =
        refusals["disclosures"].as_array().unwrap().iter().filter(|d| d["entry"]["outcome"] == "refused").count();
    assert_eq!(refused, 3, "a refusal is an entry too");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_and_too_much_are_refused_without_a_name() {
    let stage = Stage::with(&generous_with_search("most_hits = 3")).await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    for _ in 0..4 {
        register(&city, &family(CITY_A)).await;
    }
    let too_many = search(&far, j!({ "child_name": "高橋" })).await;
    assert_refused(&too_many, 422, "too_many_hits");
    assert!(!too_many.text().contains("髙橋"));
    for criteria in
        [j!({ "child_name": "高" }), j!({ "child_name": "・　" }), j!({ "birth": { "on": "2018-04-01" } }), j!({})]
    {
        assert_refused(&search(&far, criteria).await, 422, "search_too_broad");
    }
    for (criteria, status) in [
        (j!({ "child_name": "高橋", "birth": { "on": "2018-02-30" } }), 422),
        (j!({ "child_name": "高橋\u{1}" }), 422),
        (j!({ "child_name": "高".repeat(10_000) }), 422),
        (j!({ "child_name": "" }), 422),
        (j!({ "colour": "red" }), 400),
    ] {
        assert_eq!(search(&far, criteria.clone()).await.status.as_u16(), status, "{criteria}");
    }
    let surrogate = r#"{"purpose":"casework","case_reference":"1","child_name":"\ud800"}"#;
    let reply = far.client.post("/v1/searches").body("application/json", surrogate).send().await.unwrap();
    assert_refused(&reply, 400, "body_unreadable");
    assert_eq!(inbox(&city).await.len(), 0, "nobody was named, so nobody is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_abuse_cases_are_found_nationally_unless_an_ordinance_says_so() {
    let stage = Stage::new().await;
    let (city, center, far) = (
        stage.party("city", CITY_A).await,
        stage.party("center", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
    );
    let support =
        family(CITY_A).to_xml().replace("<caseClass>1</caseClass><abuseKind>2</abuseKind>", "<caseClass>2</caseClass>");
    let registered = city.client.post("/v1/records").xml(support.clone()).send().await.unwrap();
    assert_eq!(registered.status, 201, "{}", registered.text());
    assert!(children(&search(&far, j!({ "child_name": "高橋" })).await).is_empty());
    assert_eq!(children(&search(&center, j!({ "child_name": "高橋" })).await).len(), 1);
    let path = format!("/v1/records/{}", json(&registered)["record"].as_str().unwrap());
    let declared = support.replace("<acceptedOn>", "<ordinanceBasis>1</ordinanceBasis><acceptedOn>");
    assert_eq!(city.client.put(&path).if_match(1).xml(declared).send().await.unwrap().status, 200);
    assert_eq!(children(&search(&far, j!({ "child_name": "高橋" })).await).len(), 1);
    assert_eq!(disclosures(&city).await[0]["legal_basis"], "ordinance");
}

#[tokio::test(flavor = "multi_thread")]
async fn near_misses_stand_apart_and_pages_are_searches_of_their_own() {
    let stage = Stage::with(&generous_with_search("page_hits = 2")).await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    for _ in 0..3 {
        register(&city, &family(CITY_A)).await;
    }
    let near = search(&far, j!({ "child_name": "タカハセハナコ", "near_misses": "if_none" })).await;
    assert!(children(&near).is_empty());
    let found = json(&near)["near_misses"].as_array().unwrap().clone();
    assert_eq!((found.len(), &found[0]["rank"], &found[0]["name"]), (2, &j!("near_miss"), &j!("髙橋 花子")));
    assert_eq!(json(&near)["next_page"], 2);
    assert_eq!(near.entries().len(), 3, "each child shown is accounted for, and no other");
    let never = search(&far, j!({ "child_name": "タカハセハナコ", "near_misses": "never" })).await;
    assert!(json(&never)["near_misses"].as_array().unwrap().is_empty() && json(&never)["coverage"].is_object());

    let first = search(&far, j!({ "child_name": "高橋" })).await;
    assert_eq!((children(&first).len(), &json(&first)["next_page"]), (2, &j!(2)));
    let second = search(&far, j!({ "child_name": "高橋", "page": 2 })).await;
    assert_eq!((children(&second).len(), second.entries().len()), (1, 2));
    assert!(json(&second).get("next_page").is_none());
    let third = search(&far, j!({ "child_name": "高橋", "page": 3 })).await;
    let nobody = search(&far, j!({ "child_name": "早乙女", "near_misses": "never", "page": 3 })).await;
    assert_eq!(json(&third), json(&nobody), "a page past the end does not tell that there is an earlier one");
    for name in ["高橋", "・"] {
        assert_refused(&search(&far, j!({ "child_name": name, "page": 0 })).await, 422, "field_refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relatives_are_found_by_the_owner_alone() {
    let stage = Stage::new().await;
    let (city, center, far) = (
        stage.party("city", CITY_A).await,
        stage.party("center", CENTER_A).await,
        stage.party("far", FAR_CENTER).await,
    );
    let relative = "<relative><name><written>武者小路 実</written><kana>ムシャノコウジ ミノル</kana></name>\
                    <relationship>祖父</relationship></relative>";
    let xml = family(CITY_A).to_xml();
    let with_family = if xml.contains("</family>") {
        xml.replace("</family>", &format!("{relative}</family>"))
    } else {
        xml.replace("<officer>", &format!("<family>{relative}</family><officer>"))
    };
    let registered = city.client.post("/v1/records").xml(with_family).send().await.unwrap();
    assert_eq!(registered.status, 201, "{}", registered.text());
    let criteria = j!({ "relative_name": "むしゃのこうじ" });
    let own = children(&search(&city, criteria.clone()).await);
    assert_eq!(own[0]["matched"], j!([{ "person": "relative", "form": "kana" }]));
    for other in [&center, &far] {
        assert!(children(&search(other, criteria.clone()).await).is_empty());
        assert!(children(&search(other, j!({ "child_name": "武者小路" })).await).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowance_used_up_is_refused_and_logged() {
    let limits = GENEROUS.replacen("officer_burst = 1000000", "officer_burst = 2", 1).replacen(
        "officer_per_hour = 1000000",
        "officer_per_hour = 1",
        1,
    );
    let stage = Stage::with(&limits).await;
    let far = stage.party("far", FAR_CENTER).await;
    for _ in 0..2 {
        assert_eq!(search(&far, j!({ "child_name": "高橋" })).await.status, 200);
    }
    let refused = search(&far, j!({ "child_name": "高橋" })).await;
    assert_refused(&refused, 429, "search_budget");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 60);
    let ours = json(&far.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    assert_eq!(ours["disclosures"][0]["entry"]["refusal"], "search_budget");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_of_searches_reaches_the_auditor_and_the_owner() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    let record = register(&city, &family(CITY_A)).await;
    for number in 0..3 {
        let mut body = j!({ "purpose": "casework", "case_reference": "なし", "child_name": "高橋花子" });
        body["near_misses"] = j!("never");
        assert_eq!(far.client.post("/v1/searches").json(&body).send().await.unwrap().status, 200);
        let expected = usize::from(number == 2);
        let told = |kinds: Vec<String>| kinds.iter().filter(|kind| *kind == "search_repeated").count();
        assert_eq!(told(inbox_kinds(&far).await), expected, "search {number}");
        assert_eq!(told(inbox_kinds(&city).await), expected, "search {number}");
        stage.world.clock.advance(time::Duration::hours(2));
    }
    stage.world.add_staff(&far, "o2", &["caseworker"]).await.unwrap();
    let colleague = stage.world.add_terminal("far-2", &far, "o2").await.unwrap();
    assert!(inbox_kinds(&colleague).await.is_empty(), "what the watch noticed is for the auditor");
    let message = inbox(&city).await.into_iter().find(|message| message["kind"] == "search_repeated").unwrap();
    assert_eq!((&message["record"], &message["from_officer"]), (&j!(record), &j!("o1")));
    let ours = json(&far.client.get("/v1/disclosures?of=by_us").send().await.unwrap());
    let acts: Vec<(String, String)> = ours["disclosures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["entry"]["act"].to_string(), line["entry"]["subject"].to_string()))
        .collect();
    assert!(acts.contains(&("\"search_watch\"".into(), "\"repeated\"".into())), "{acts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_input_is_named_with_its_field_and_never_half_answered() {
    let stage = Stage::new().await;
    let (city, far) = (stage.party("city", CITY_A).await, stage.party("far", FAR_CENTER).await);
    register(&city, &family(CITY_A)).await;
    for (criteria, status, code, place) in [
        (j!({ "child_name": "" }), 422, "field_refused", "child_name"),
        (j!({ "child_name": "　 " }), 422, "field_refused", "child_name"),
        (j!({ "child_name": "?" }), 422, "search_too_broad", ""),
        (j!({ "child_name": "＊？*" }), 422, "search_too_broad", ""),
        (j!({ "child_name": "高橋", "guardian_name": "***" }), 422, "search_too_broad", ""),
        (j!({ "child_name": "高*" }), 422, "search_too_broad", ""),
        (j!({ "child_name": "高".repeat(10_000) }), 422, "field_refused", "child_name"),
        (j!({ "child_name": "高*".repeat(60) }), 422, "search_too_broad", ""),
        (j!({ "child_name": "キ?キ?キ?キ" }), 422, "search_too_broad", ""),
        (j!({ "child_name": "ン ン ン" }), 422, "search_too_broad", ""),
        (j!({ "child_name": "森 翠" }), 200, "", ""),
        (j!({ "child_name": "高橋*".repeat(40) }), 200, "", ""),
        (j!({ "child_name": "高橋\u{0}" }), 422, "field_refused", "child_name"),
        (j!({ "child_name": "高橋\u{202e}" }), 422, "field_refused", "child_name"),
        (j!({ "child_name": "高橋\u{e000}" }), 422, "field_refused", "child_name"),
        (j!({ "child_name": "Takaハシ花Ω" }), 200, "", ""),
        (j!({ "child_name": "🧒👧" }), 422, "search_too_broad", ""),
        (j!({ "relative_name": "\u{7}" }), 422, "field_refused", "relative_name"),
        (j!({ "child_name": "高橋", "birth": { "on": "2018-02-29" } }), 422, "field_refused", "birth"),
        (j!({ "child_name": "高橋", "birth": { "on": "R0" } }), 422, "field_refused", "birth"),
        (j!({ "child_name": "高橋", "birth": { "on": "令和99999999999年" } }), 422, "field_refused", "birth"),
        (j!({ "child_name": "高橋", "birth": { "from": "2019", "to": "2018" } }), 422, "field_refused", "birth"),
        (j!({ "child_name": "高橋", "birth": { "age": 121 } }), 422, "field_refused", "birth"),
        (j!({ "child_name": "高橋", "birth": { "age": 256 } }), 400, "body_unreadable", ""),
        (j!({ "child_name": "高橋", "birth": { "age": -1 } }), 400, "body_unreadable", ""),
        (j!({ "child_name": "高橋", "birth": {} }), 400, "body_unreadable", ""),
        (j!({ "child_name": "高橋", "sex": "3" }), 422, "field_refused", "sex"),
        (j!({ "child_name": "高橋", "sex": "男" }), 422, "field_refused", "sex"),
        (j!({ "child_name": "高橋", "page": 0 }), 422, "field_refused", "page"),
        (j!({ "child_name": "高橋", "page": -1 }), 400, "body_unreadable", ""),
        (j!({ "child_name": "高橋", "page": u64::MAX }), 200, "", ""),
        (j!({ "child_name": "高橋", "near_misses": "sometimes" }), 400, "body_unreadable", ""),
        (j!({ "child_name": ["高橋"] }), 400, "body_unreadable", ""),
        (j!({ "child_name": "高橋", "case_reference": "" }), 422, "field_refused", "case_reference"),
        (j!({ "name": "高橋" }), 400, "body_unreadable", ""),
    ] {
        let reply = search(&far, criteria.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{criteria}: {}", reply.text());
        if status != 200 {
            assert_refused(&reply, status, code);
            let problem = json(&reply);
            assert!(problem["detail"].as_str().unwrap().contains(place), "{criteria}: {problem}");
            assert!(problem["detail_ja"].as_str().unwrap().chars().any(|c| c > '\u{3000}'), "{problem}");
            assert!(!reply.text().contains("髙橋 花子") && !reply.text().contains("children"));
        }
    }
    for surrogate in [r"\ud800", r"高橋\udc00", r"\udc00\ud800"] {
        let body = format!(r#"{{"purpose":"casework","case_reference":"R8-1","child_name":"{surrogate}"}}"#);
        let reply = far.client.post("/v1/searches").body("application/json", body).send().await.unwrap();
        assert_refused(&reply, 400, "body_unreadable");
    }
}
