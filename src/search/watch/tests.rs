//! Each rule by an example, and all of them beside the plain list.

use std::{cell::RefCell, collections::BTreeMap, sync::LazyLock};

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};

use super::{plain::Plain, *};
use crate::{domain::calendar::PartialDate, search::query::BirthCriterion};

struct Desk {
    watch: Watch,
    now: i64,
    number: u128,
}

impl Desk {
    /// In the afternoon.
    fn new() -> Self {
        Self::at_hour(14)
    }

    fn at_hour(hour: i64) -> Self {
        let midnight_in_japan = 1_799_938_800_000_000;
        Self { number: 0, watch: Watch::default(), now: midnight_in_japan + hour * HOUR }
    }

    fn search(&mut self, name: &str, case: &str, minutes: i64, found: &[(Uuid, OrganizationCode)]) -> Vec<Rule> {
        self.now += minutes * MINUTE;
        let query = Query { child: Pattern::of(name), ..Query::default() };
        self.number += 1;
        let alerts = self.watch.observe(WatchedSearch {
            request: Uuid::from_u128(self.number),
            organization: &OrganizationCode::ministry(),
            officer: "o1",
            officer_name: "早乙女 結",
            at: Timestamp::from_micros(self.now),
            query: &query,
            case_reference: case,
            found: found.to_vec(),
        });
        alerts.into_iter().map(|alert| alert.rule).collect()
    }
}

const NAMES: [&str; 14] =
    ["佐藤", "加藤", "高橋", "伊藤", "田中", "渡辺", "山本", "中村", "小林", "吉田", "山田", "木村", "林", "井上"];

#[test]
fn many_names_are_noticed_and_one_family_in_many_spellings_is_not() {
    let mut desk = Desk::new();
    let mut all = Vec::new();
    for spelling in ["高橋花子", "タカハシハナコ", "髙橋", "花子 高橋", "高橋花", "ハナコ", "たかはし"]
    {
        all.extend(desk.search(spelling, "R8-1", 2, &[]));
    }
    assert!(all.is_empty(), "{all:?}");
    for (number, name) in NAMES.iter().enumerate() {
        all.extend(desk.search(name, &format!("R8-{number}x"), 2, &[]));
    }
    assert!(all.contains(&Rule::ManyNames));
    let mut slow = Desk::new();
    for (number, name) in NAMES.iter().enumerate() {
        assert!(slow.search(name, &format!("R8-{number}x"), 25, &[]).is_empty(), "a day's work");
    }
}

#[test]
fn walks_nights_own_name_and_repetition_are_noticed() {
    let mut desk = Desk::new();
    let walk = ["アオキ", "アサノ", "アベ", "イトウ", "ウエノ", "エンドウ", "オカダ"];
    let rules: Vec<Vec<Rule>> = walk.iter().map(|name| desk.search(name, "R8-9", 10, &[])).collect();
    assert_eq!(rules.last().unwrap(), &[Rule::Walk]);
    let mut desk = Desk::new();
    let down = ["ワタナベ", "ヤマダ", "ノムラ", "コーノ", "コウダ", "佐藤", "キノ", "アオキ", "アイダ"];
    let rules: Vec<Vec<Rule>> = down.iter().map(|name| desk.search(name, "R8-9", 10, &[])).collect();
    assert_eq!(rules.last().unwrap(), &[Rule::Walk], "downwards, one name beside it");
    let mut desk = Desk::at_hour(2);
    let night: Vec<Rule> = (0..6).flat_map(|n| desk.search(NAMES[n], &format!("R8-{n}x"), 5, &[])).collect();
    assert_eq!(night, [Rule::AtNight]);
    let mut desk = Desk::new();
    assert_eq!(desk.search("早乙女", "R8-1", 1, &[]), [Rule::OwnName]);
    assert_eq!(desk.search("サオトメ", "R8-1", 1, &[]), Vec::<Rule>::new(), "its reading is not known");
    let mut desk = Desk::new();
    let child = [(Uuid::from_u128(7), OrganizationCode::operator())];
    let again: Vec<Rule> = (0..4).flat_map(|n| desk.search("佐藤", &format!("R8-{n}"), 600, &child)).collect();
    assert_eq!(again, [Rule::Repeated]);
    let mut desk = Desk::new();
    let again: Vec<Rule> = (0..3).flat_map(|_| desk.search("佐藤", "なし", 600, &child)).collect();
    assert_eq!(again, [Rule::Repeated]);
    let mut desk = Desk::new();
    let in_vain: Vec<Rule> = (0..4).flat_map(|n| desk.search("早川鏡花", &format!("R8-{n}"), 600, &[])).collect();
    assert_eq!(in_vain, [Rule::Repeated], "whom nothing is registered of");
    let mut desk = Desk::new();
    let reload: Vec<Rule> = (0..9).flat_map(|_| desk.search("佐藤", "なし", 1, &child)).collect();
    assert!(reload.is_empty(), "one sitting");
    let mut desk = Desk::new();
    let casework: Vec<Rule> = (0..5).flat_map(|_| desk.search("佐藤", "R8-55", 600, &child)).collect();
    assert!(casework.is_empty(), "one case, one reference");
}

/// A history of searches in a few numbers, each below 100.
type SearchStep = [u8; 6];

/// How an officer searches: what the numbers of a step are held against.
#[derive(Clone, Debug)]
struct Habit {
    /// Minutes between two searches, one of these.
    minutes: Vec<i64>,
    names: usize,
    cases: usize,
    children: usize,
    /// Of a hundred searches: those that go on to the next name, that have no reference, that find nobody, and that are
    /// decided again.
    goes_on: u8,
    unreferenced: u8,
    in_vain: u8,
    again: u8,
}

fn habits() -> impl Strategy<Value = Habit> {
    let minutes = prop_oneof![
        Just(vec![0, 0, 1, 2]),
        Just(vec![0, 1, 5, 9, 20]),
        Just(vec![1, 20, 59, 60, 61]),
        Just(vec![0, 3, 30, 180, 700]),
        Just(vec![60, 600, 721, 1_500, 9_000]),
    ];
    (
        minutes,
        1..60_usize,
        1..10_usize,
        1..6_usize,
        prop_oneof![Just(0_u8), Just(60), Just(85), Just(97)],
        0..70_u8,
        10..95_u8,
        0..25_u8,
    )
        .prop_map(|(minutes, names, cases, children, goes_on, unreferenced, in_vain, again)| Habit {
            minutes,
            names,
            cases,
            children,
            goes_on,
            unreferenced,
            in_vain,
            again,
        })
}

/// Names in kana in the order of a dictionary, with a few that are not.
static IN_ORDER: LazyLock<Vec<Option<Pattern>>> = LazyLock::new(|| {
    const KANA: [&str; 8] = ["アイ", "カー", "サキ", "タツ", "ナカムラ", "ハナコ", "マ", "ワタル"];
    const OTHERS: [&str; 6] = ["早乙女", "佐藤", "早乙女 花", "髙橋", "佐藤 花", "伊藤"];
    let in_kana = |number: usize| format!("{}{}", KANA[number / 8], KANA[number % 8]);
    let name = |number: usize| if number % 10 == 9 { OTHERS[number / 10].to_owned() } else { in_kana(number) };
    (0..60).map(|number| Pattern::of(&name(number))).collect()
});

/// Gives both the same searches; returns what was noticed, and whether it was news.
fn compare(habit: &Habit, steps: &[SearchStep]) -> Result<Vec<(Rule, bool)>, TestCaseError> {
    let (watch, plain) = (Watch::default(), Plain::default());
    let organization = OrganizationCode::ministry();
    let owners = [OrganizationCode::operator(), organization.clone(), OrganizationCode::parse("122327").unwrap()];
    let mut all = Vec::new();
    let (mut now, mut at_name, mut request) = (1_799_938_800_000_000, 0, 0_u128);
    for (number, [gap, walk, named, case, child, again]) in steps.iter().enumerate() {
        let pick = |number: u8, of: usize| usize::from(number) * of / 100;
        now += habit.minutes[pick(*gap, habit.minutes.len())] * MINUTE + i64::from(*gap % 2);
        at_name = match () {
            () if *walk < habit.goes_on => (at_name + 1) % habit.names,
            () if *walk % 7 == 0 => at_name,
            () => pick(*named, habit.names),
        };
        if *again >= habit.again {
            request += 1;
        }
        let in_vain = *child < habit.in_vain;
        let children = (0..habit.children).filter(|one| !in_vain && (usize::from(*child) >> one) % 2 == 1);
        let mut found: Vec<_> = children.map(|one| (Uuid::from_u128(one as u128), owners[one % 3].clone())).collect();
        found.reverse();
        let query = Query {
            child: IN_ORDER[at_name].clone(),
            guardian: if *named % 5 == 0 { IN_ORDER[1].clone() } else { None },
            birth: if *named % 4 == 0 { Some(BirthCriterion::on(PartialDate::parse("2018").unwrap())) } else { None },
            ..Query::default()
        };
        let reference = if *case < habit.unreferenced {
            "なし".to_owned()
        } else {
            format!("R8-{}", pick(*case, habit.cases) + 2)
        };
        let search = || WatchedSearch {
            request: Uuid::from_u128(request),
            organization: &organization,
            officer: if *gap % 16 == 15 { "o2" } else { "o1" },
            officer_name: "早乙女 結",
            at: Timestamp::from_micros(now),
            query: &query,
            case_reference: &reference,
            found: found.clone(),
        };
        let told = |alerts: Vec<Alert>| {
            alerts.into_iter().map(|alert| (alert.rule, alert.since, alert.is_news, alert.found)).collect::<Vec<_>>()
        };
        let (ours, theirs) = (told(watch.observe(search())), told(plain.observe(search())));
        prop_assert_eq!(&ours, &theirs, "search {}", number);
        all.extend(ours.into_iter().map(|(rule, _, is_news, _)| (rule, is_news)));
    }
    Ok(all)
}

/// Of `HISTORIES` (500) histories the given part, each of so many searches: how often each rule was noticed.
fn histories(part: u32, searches: std::ops::Range<usize>) -> BTreeMap<(Rule, bool), usize> {
    let all = std::env::var("HISTORIES").ok().and_then(|all| all.parse().ok()).unwrap_or(500_u32);
    let cases = all.div_ceil(part);
    let told = RefCell::new(BTreeMap::new());
    let step = proptest::array::uniform6(0..100_u8);
    let strategy = (habits(), proptest::collection::vec(step, searches));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 256, ..Config::default() };
    let run = TestRunner::new(config).run(&strategy, |(habit, steps)| {
        compare(&habit, &steps)?.into_iter().for_each(|told_of| *told.borrow_mut().entry(told_of).or_default() += 1);
        Ok(())
    });
    assert!(run.is_ok(), "{}", run.unwrap_err());
    let told = told.into_inner();
    println!("{cases} histories: {told:?}");
    told
}

#[test]
fn it_tells_of_the_same_as_the_rules_over_a_plain_list() {
    let told = histories(1, 1..150);
    let rules = [Rule::ManyNames, Rule::Walk, Rule::AtNight, Rule::OwnName, Rule::Repeated];
    for told_of in rules.iter().flat_map(|rule| [(*rule, true), (*rule, false)]) {
        assert!(told.get(&told_of).is_some_and(|often| *often > 100), "{told_of:?} in {told:?}");
    }
}

#[test]
fn it_forgets_the_same_when_an_officer_makes_more_searches_than_are_kept() {
    histories(80, MAX_KEPT + 1..MAX_KEPT + 200);
}

#[test]
fn a_search_that_comes_late_is_taken_as_made_with_the_last() {
    let mut desk = Desk::new();
    for (number, name) in NAMES.iter().enumerate().take(11) {
        assert!(desk.search(name, &format!("R8-{number}x"), if number % 2 == 0 { 2 } else { -1 }, &[]).is_empty());
    }
    assert_eq!(desk.search("井上", "R8-99", 0, &[]), [Rule::ManyNames]);
}
