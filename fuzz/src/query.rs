//! Whatever is typed into a search: nothing panics, a name meets itself, and a search finds exactly those whom its
//! explanation says it finds.

use std::{collections::BTreeSet, sync::LazyLock};

use tsunagi::{
    domain::{
        calendar::PartialDate,
        case_record::{DerivedFacts, IndexItems, NameForm, Person, RecordFacts},
        organization::OrganizationCode,
        visibility::Shield,
    },
    search::{
        explain::explain,
        fold::{FoldedName, fold_query},
        index::{Findable, IndexChange, SearchIndex},
        pattern::{Pattern, Rank},
        query::{Day, NearMisses, Query},
        records::PackedRecord,
        symbol::{pack, unpack},
    },
};
use uuid::Uuid;

pub fn enter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    folds_alike_in_every_form(text);
    meets_itself(text);
    finds_whom_it_explains(text);
    reads_its_own_date(text);
    // A fragment in the first line, a name in the others.
    if let Some((fragment, name)) = text.split_once('\n') {
        explain(fragment, name);
    }
}

fn folds_alike_in_every_form(text: &str) {
    let keys = FoldedName::of(NameForm::Written, text).keys;
    let other_forms =
        [NameForm::Kana, NameForm::Latin, NameForm::Alias, NameForm::Former, NameForm::Second, NameForm::Joint];
    assert!(other_forms.into_iter().all(|form| FoldedName::of(form, text).keys == keys));
    assert!(keys.iter().all(|key| pack(unpack(key)) == *key));
}

/// A text with a letter in it, if nothing in it reads as unknown: neither a wildcard nor an iteration mark with nothing
/// before it to repeat, which stands for any letter in a query and for none in a name.
fn meets_itself(name: &str) {
    let unknown = fold_query(name).iter().flat_map(|query| &query.pieces).flatten().any(|symbol| symbol.is_wildcard());
    if Pattern::of(name).is_some() && !unknown {
        assert_eq!(explain(name, name).rank, Some(Rank::Exact));
    }
}

fn finds_whom_it_explains(fragment: &str) {
    let Some(pattern) = Pattern::of(fragment) else { return };
    let query = Query { child: Some(pattern), near_misses: NearMisses::Always, ..Query::default() };
    let found = INDEX.search(&query, &OrganizationCode::ministry(), NAMES.len(), |_| Findable::Shown(()));
    assert!(!found.too_many && !found.too_many_near && found.approached.is_empty());
    assert_eq!(found.records.len(), found.hits.len() + found.near.len());
    let found: BTreeSet<Uuid> = found.records.into_iter().map(|(id, _)| id).collect();
    let explained = numbered().filter(|(_, name)| explain(fragment, name).rank.is_some()).map(|(id, _)| id).collect();
    assert_eq!(found, explained);
}

fn reads_its_own_date(text: &str) {
    let Some(date) = PartialDate::parse(text) else { return };
    assert_eq!(PartialDate::parse(&date.to_iso()), Some(date));
    assert_eq!(Day::unpacked(Day::packed(date)), date);
}

/// Children that do not exist.
const NAMES: [&str; 24] = [
    "佐藤　花子",
    "佐藤花子",
    "髙橋 陽葵",
    "渡邉　大翔",
    "佐々木　みすゞ",
    "一ノ瀬　悠",
    "関ヶ原　優か",
    "森がはな",
    "サトウ　ハナコ",
    "サト　ウメ",
    "サトウメ",
    "マツウラ　アイ",
    "イノウエ　エイタ",
    "イノウエエイタ",
    "ヤマモトオウスケ",
    "コーウ　オーノ",
    "ヴァレリア　ヂュン",
    "ハナヅ　ケイイチ",
    "マリア　ルイサ　ガルシア",
    "ノ　ハナコ",
    "GARCIA MARIA LUISA",
    "José Nguyễn",
    "O'Brien",
    "ー",
];

static INDEX: LazyLock<SearchIndex> = LazyLock::new(|| {
    let index = SearchIndex::default();
    for (id, name) in numbered() {
        let owner = OrganizationCode::ministry();
        let derived = DerivedFacts {
            residence: owner.clone(),
            searchable: true,
            abuse_case: true,
            shield: Shield { active: false, named: Vec::new() },
        };
        let facts = RecordFacts { id, owner, version: 1, owned_since: 1, closed: false, serious: false, derived };
        let written = name.to_owned();
        let items = IndexItems {
            child: Person { names: vec![(NameForm::Written, written.clone())], written },
            sex: "9".to_owned(),
            birth_date: PartialDate { year: 2018, month: None, day: None },
            guardians: Vec::new(),
            relatives: Vec::new(),
        };
        index.apply(IndexChange::Put(Box::new(PackedRecord::new(facts, &items))));
    }
    index
});

fn numbered() -> impl Iterator<Item = (Uuid, &'static str)> {
    (1..).map(Uuid::from_u128).zip(NAMES)
}
