//! What a search found: children with whom to call, near misses apart, and what "no hit" covered.

use askama::Template;

use super::{criteria::PURPOSES, intake::known_in_record};
use crate::{
    disclosure::{
        gate::{Disclosed, With},
        view::{Contact, FoundChild, FoundChildren, Matched},
    },
    domain::{calendar::PartialDate, case_record::NameForm, format::code_lists::SEX},
    error::Error,
    face::answer::Answer,
    operations::search::search_nationwide::{Coverage, SearchFacts},
    search::pattern::Rank,
    web::{
        csrf,
        dates::{moment, moment_of, partial},
        form::{Form, KEY},
        language::Language,
        page::{Visit, shown},
        shell::{PagePart, Shell},
    },
};

#[derive(Template)]
#[template(path = "search/result.html")]
struct ResultPage {
    shell: Shell,
    now: String,
    /// The criteria as they were typed: label and value.
    criteria: Vec<(&'static str, String)>,
    /// The same, to be sent again.
    again: Vec<(String, String)>,
    purpose: String,
    /// The same page of the search, and where it began.
    action: &'static str,
    /// What is known of the child, for the form of a new record.
    known: Vec<(String, String)>,
    hits: Vec<HitRow>,
    near: Vec<HitRow>,
    too_many_near: bool,
    next_page: Option<usize>,
    coverage: Vec<String>,
}

/// A child that was found, as a row.
struct HitRow {
    record: String,
    rank: &'static str,
    forms: String,
    name: String,
    sex: String,
    birth: String,
    age: String,
    guardians: Vec<String>,
    /// Name of the owner and whom to call; `None` where the relay desk stands in its place.
    owner: Option<(String, String)>,
    may_open: bool,
}

/// The page of what was found.
///
/// # Errors
/// The database failed.
pub(super) async fn result_page(
    visit: &Visit,
    form: Form,
    found: Disclosed<With<FoundChildren, SearchFacts>>,
) -> Result<Answer, Error> {
    let l = visit.language();
    let is_intake = form.value("report").is_some();
    let (title, part, action) = match is_intake {
        true => (("照合の結果", "Who it may be"), PagePart::Intake, "/intake"),
        false => (("全国検索の結果", "What the search found"), PagePart::Search, "/search"),
    };
    let shell = visit.shell(title, part).await?.accounted_for(found.entries());
    let With { data, facts } = found.value();
    let today = visit.gateway.clock.today_in_japan();
    let row = |child: &FoundChild| HitRow::of(l, child, today);
    shown(&ResultPage {
        now: moment(l, visit.gateway.clock.now()),
        criteria: stated(l, &form),
        again: form.fields().filter(|(name, _)| is_sent_again(name, is_intake)).map(owned).collect(),
        action,
        known: known_in_record(&form, l, today),
        purpose: form.text("purpose").to_owned(),
        hits: data.children.iter().map(row).collect(),
        near: data.near_misses.iter().map(row).collect(),
        too_many_near: facts.too_many_near_misses,
        next_page: facts.next_page,
        coverage: facts.coverage.as_ref().map(|coverage| covered(l, coverage)).unwrap_or_default(),
        shell,
    })
}

/// Whether a field goes on to the next page: token and key are new there, and a report has its purpose.
fn is_sent_again(name: &str, is_intake: bool) -> bool {
    !(matches!(name, "page" | KEY | csrf::FIELD) || is_intake && name == "purpose")
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl HitRow {
    fn of(l: Language, child: &FoundChild, today: time::Date) -> Self {
        let birth = PartialDate::parse(&child.birth_date);
        let age = birth.map(|birth| birth.age_on(today));
        Self {
            record: child.record.to_string(),
            rank: l.of_pair(rank_name(child.rank)),
            forms: forms(l, &child.matched),
            name: child.name.clone(),
            sex: sex_name(l, &child.sex),
            birth: birth.map_or_else(|| child.birth_date.clone(), |birth| partial(l, birth)),
            age: age.map(|age| format!("{age}{}", l.say("歳", " years"))).unwrap_or_default(),
            guardians: child.guardians.clone(),
            owner: match &child.contact {
                Contact::Owner { name, desk, .. } => Some((name.clone(), desk.clone())),
                Contact::Relay { .. } => None,
            },
            may_open: child.may_open,
        }
    }
}

fn rank_name(rank: Rank) -> (&'static str, &'static str) {
    match rank {
        Rank::Exact => ("全体一致", "whole name"),
        Rank::WholeName => ("姓又は名が一致", "family or given name"),
        Rank::Prefix => ("前方一致", "beginning"),
        Rank::Fragment => ("部分一致", "part"),
        Rank::NearMiss => ("かな1文字違い", "one kana apart"),
    }
}

fn forms(l: Language, matched: &[Matched]) -> String {
    let form = |matched: &Matched| {
        let form = match matched.form {
            NameForm::Written => ("漢字等の表記", "as written"),
            NameForm::Kana => ("かな", "kana"),
            NameForm::Latin => ("ローマ字", "Latin letters"),
            NameForm::Alias => ("通称", "alias"),
            NameForm::Former => ("旧氏名", "former name"),
            NameForm::Second => ("第2氏名", "second name"),
            NameForm::Joint => ("併記名", "joint name"),
        };
        let person = match matched.person {
            "child" => ("児童", "child"),
            "guardian" => ("保護者", "guardian"),
            _ => ("家族", "relative"),
        };
        format!("{}：{}", l.of_pair(person), l.of_pair(form))
    };
    matched.iter().map(form).collect::<Vec<_>>().join(l.say("、", ", "))
}

fn sex_name(l: Language, code: &str) -> String {
    let japanese = SEX.codes.iter().find(|(of, _)| *of == code).map_or(code, |(_, name)| name);
    let english = match code {
        "1" => "male",
        "2" => "female",
        _ => "not known",
    };
    l.say(japanese, english).to_owned()
}

/// What was searched for, as it was typed.
fn stated(l: Language, form: &Form) -> Vec<(&'static str, String)> {
    let purpose = PURPOSES.iter().find(|(of, _)| of.as_str() == form.text("purpose"));
    let purpose = purpose.map(|(_, name)| l.of_pair(*name)).unwrap_or_default();
    let law = l.say("児童虐待防止法第13条の4", "Child Abuse Prevention Act, Article 13-4");
    let mut stated = vec![(l.say("目的・根拠", "Purpose and law"), format!("{purpose}　{law}"))];
    for (name, label) in [
        ("case_reference", ("自機関の受付番号・ケース番号", "Case reference")),
        ("child_name", ("児童の氏名", "Child")),
        ("guardian_name", ("保護者の氏名", "Guardian")),
        ("relative_name", ("その他の家族の氏名", "Relative")),
        ("birth_on", ("生年月日", "Birth")),
        ("birth_from", ("生年月日（から）", "Birth from")),
        ("birth_to", ("生年月日（まで）", "Birth to")),
        ("birth_age", ("年齢", "Age")),
        ("address", ("住所（検索の条件ではない）", "Address (not searched for)")),
    ] {
        if let Some(value) = form.filled(name) {
            stated.push((l.of_pair(label), value.to_owned()));
        }
    }
    if let Some(sex) = form.filled("sex").filter(|sex| *sex != "any") {
        stated.push((l.say("性別", "Sex"), sex_name(l, sex)));
    }
    stated
}

/// What "no hit" covered, and what it did not.
fn covered(l: Language, coverage: &Coverage) -> Vec<String> {
    let connected = coverage.organizations_connected;
    let mut lines = vec![match l {
        Language::Japanese => format!("接続している{connected}機関が全国検索に登録した記録を検索しました。"),
        Language::English => format!("Records that {connected} connected bodies registered were searched."),
    }];
    if let Some(oldest) = &coverage.oldest_last_upload {
        let at = moment_of(l, oldest);
        lines.push(match l {
            Language::Japanese => format!("登録が最も長く更新されていない機関の最終登録日時：{at}"),
            Language::English => format!("The longest ago that one of them last uploaded: {at}"),
        });
    }
    if !coverage.prefectures_not_reached.is_empty() {
        let names: Vec<String> = coverage.prefectures_not_reached.iter().map(|code| prefecture_name(code)).collect();
        lines.push(match l {
            Language::Japanese => format!("接続している機関がない都道府県：{}", names.join("、")),
            Language::English => format!("Prefectures in which no body is connected: {}", names.join(", ")),
        });
    }
    for (prefecture, count) in &coverage.records_set_aside {
        let name = prefecture_name(prefecture);
        lines.push(match l {
            Language::Japanese => {
                format!("{name}の記録{count}件は、内容を確認できないため検索の対象に含まれていません。")
            }
            Language::English => format!("{count} records of {name} could not be verified, and were not searched."),
        });
    }
    lines
}

/// A prefecture by the two digits of its code.
fn prefecture_name(code: &str) -> String {
    const NAMES: [&str; 47] = [
        "北海道",
        "青森県",
        "岩手県",
        "宮城県",
        "秋田県",
        "山形県",
        "福島県",
        "茨城県",
        "栃木県",
        "群馬県",
        "埼玉県",
        "千葉県",
        "東京都",
        "神奈川県",
        "新潟県",
        "富山県",
        "石川県",
        "福井県",
        "山梨県",
        "長野県",
        "岐阜県",
        "静岡県",
        "愛知県",
        "三重県",
        "滋賀県",
        "京都府",
        "大阪府",
        "兵庫県",
        "奈良県",
        "和歌山県",
        "鳥取県",
        "島根県",
        "岡山県",
        "広島県",
        "山口県",
        "徳島県",
        "香川県",
        "愛媛県",
        "高知県",
        "福岡県",
        "佐賀県",
        "長崎県",
        "熊本県",
        "大分県",
        "宮崎県",
        "鹿児島県",
        "沖縄県",
    ];
    let number: usize = code.parse().unwrap_or(0);
    NAMES.get(number.wrapping_sub(1)).map_or_else(|| code.to_owned(), |name| (*name).to_owned())
}
