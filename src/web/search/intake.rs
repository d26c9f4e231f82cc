//! A new report (新しい通告・相談): what is known of a child is looked for in the country in the same step, and goes on into
//! the form of a new record where none of those who were found is the child.

use askama::Template;

use super::{criteria::request_of, result::result_page};
use crate::{
    clock::Timestamp,
    domain::calendar::PartialDate,
    error::Error,
    face::answer::Answer,
    operations::search::search_nationwide::search_nationwide,
    web::{
        form::Form,
        input::{ChoiceInput, Input, TextArea},
        language::Language,
        page::{Visit, again, shown},
        records::typed_date::TypedDate,
        shell::{PagePart, Shell},
    },
};

const TITLE: (&str, &str) = ("新しい通告・相談", "A new report");

/// What was typed is to be changed: the form is shown with it, and nothing is searched for.
const CHANGE: &str = "change";

const FIELDS: [&str; 10] = [
    CHANGE,
    "case_reference",
    "child_name",
    "guardian_name",
    "sex",
    "birth_on",
    "birth_age",
    "page",
    "address",
    "report",
];

#[derive(Template)]
#[template(path = "search/intake.html")]
struct IntakePage {
    shell: Shell,
    form: Form,
    child: Vec<Input>,
    birth: Vec<Input>,
    sex: ChoiceInput,
    family: Vec<Input>,
    report: TextArea,
    case_reference: Input,
}

impl IntakePage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let line = |name, label| Input::line(l, &form, name, label);
        let name = line("child_name", ("児童の氏名又はそのかな", "The child's name, in any script")).support((
            "聞こえたとおりに。一部だけでも検索できます。分からない文字は「?」（1文字）又は「*」（何文字でも）。児童か保護者のどちらかの氏名が必要",
            "As it was heard. ? stands for one unknown letter, * for any number. A child’s or a guardian’s name is needed",
        ));
        let on = line("birth_on", ("生年月日", "Birth date")).width("w-s").support((
            "分かるところまで。例：2019-05-14、令和元年5月、2019",
            "As far as it is known: 2019-05-14, 2019-05, 2019",
        ));
        let age =
            line("birth_age", ("又はおよその年齢", "Or an age")).width("w-xs").support(("満年齢（歳）", "Whole years"));
        let guardian = line("guardian_name", ("保護者の氏名又はそのかな", "A guardian's name, in any script"));
        let address = line("address", ("住所", "Address"))
            .width("w-l")
            .support(("分かる範囲で。全国検索の条件には使いません", "As far as it is known. It is not searched for"));
        let reference = line("case_reference", ("自機関の受付番号・ケース番号", "Your own case reference"))
            .required()
            .width("w-s")
            .support((
                "この検索の記録に残る番号。機関の受付番号がまだなければ、このまま",
                "Kept beside the search. Where there is none yet, leave it",
            ));
        Ok(Self {
            child: vec![name],
            birth: vec![on, age],
            sex: ChoiceInput::of(l, &form, "sex", ("性別", "Sex"))
                .at_first("any")
                .option("1", ("男", "male"))
                .option("2", ("女", "female"))
                .option("any", ("不明", "not known")),
            family: vec![guardian, address],
            report: TextArea::of(l, &form, "report", ("通告・相談の内容", "What is reported")).support((
                "見聞きした事実、日時、頻度。推測は「推測」と書き分ける",
                "What was seen and heard, when and how often. Say so where it is a guess",
            )),
            case_reference: reference,
            shell: visit.shell(TITLE, PagePart::Intake).await?,
            form,
        })
    }
}

/// A reference for a report that has none yet: when it came in.
fn reference(language: Language, now: Timestamp) -> String {
    let day = now.day_in_japan();
    let (month, day, hour, minute) = (u8::from(day.month()), day.day(), now.hour_in_japan(), now.minute_in_japan());
    format!("{}{month:02}{day:02}-{hour:02}{minute:02}", language.say("受付", "R"))
}

pub(super) async fn intake(visit: Visit) -> Result<Answer, Error> {
    let reference = reference(visit.language(), visit.gateway.clock.now());
    let form = Form::with([("case_reference".to_owned(), reference)]);
    shown(&IntakePage::of(&visit, form).await?)
}

pub(super) async fn intake_act(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let mut form = visit.form(&FIELDS)?;
    if form.value(CHANGE).is_some() {
        return shown(&IntakePage::of(&visit, form).await?);
    }
    form.put("purpose".to_owned(), "new_report".to_owned());
    if form.filled("child_name").is_none() && form.filled("guardian_name").is_none() {
        let message = (
            "児童か保護者の氏名を、一部でも入力してください。",
            "Type a name of the child or a guardian, a part at least",
        );
        form.fault("child_name", l.of_pair(message));
    }
    if form.filled("birth_on").is_some() && form.filled("birth_age").is_some() {
        let message = ("生年月日と年齢は、どちらか一方を入力してください。", "Type a birth date or an age, not both");
        form.fault("birth_age", l.of_pair(message));
    }
    let status = match request_of(&mut form, l) {
        Some(request) => match search_nationwide(&visit.gateway, &visit.caller, request).await {
            Ok(found) => return result_page(&visit, form, found).await,
            Err(error) => form.refused(error, l)?,
        },
        None => 422,
    };
    again(status, &IntakePage::of(&visit, form).await?)
}

/// What was known of a child, as the form of a new record has it: to be looked at and completed there.
pub(super) fn known_in_record(form: &Form, l: Language, today: time::Date) -> Vec<(String, String)> {
    let mut known = Vec::new();
    let mut put = |name: &str, value: &str| known.push((name.to_owned(), value.to_owned()));
    let mut remarks = Vec::new();
    if let Some(name) = form.filled("child_name") {
        match is_certain(name) {
            true => put("index.child.name.written", name),
            false => remarks.push(format!("{}{name}", l.say("聞き取った児童の氏名：", "The child's name as heard: "))),
        }
        if is_kana(name) {
            put("index.child.name.kana", name);
        }
    }
    if let Some(name) = form.filled("guardian_name") {
        match is_certain(name) {
            true => put("index.guardian.1.name.written", name),
            false => {
                remarks.push(format!("{}{name}", l.say("聞き取った保護者の氏名：", "The guardian's name as heard: ")))
            }
        }
        if is_kana(name) {
            put("index.guardian.1.name.kana", name);
        }
    }
    if let Some(sex) = form.filled("sex").filter(|sex| matches!(*sex, "1" | "2")) {
        put("index.child.sex", sex);
    }
    if let Some(on) = form.filled("birth_on").filter(|on| PartialDate::parse(on).is_some()) {
        date("index.child.birthDate", on, &mut put);
    }
    if let Some(age) = form.filled("birth_age") {
        // A birth date that nobody said is not made up of an age.
        remarks.push(format!("{}{age}{}", l.say("聞き取った年齢：", "Age as heard: "), l.say("歳", "")));
    }
    if let Some(address) = form.filled("address") {
        put("contact.address", address);
    }
    let is_report = form.text("purpose") == "new_report";
    let content: Vec<String> = form.filled("report").map(str::to_owned).into_iter().chain(remarks).collect();
    if is_report {
        date("case.report.1.date", &today.to_string(), &mut put);
    }
    if !content.is_empty() {
        put("case.report.1.content", &content.join("\n"));
    }
    known
}

fn date(name: &str, written: &str, put: &mut impl FnMut(&str, &str)) {
    let TypedDate { era, year, month, day, .. } = TypedDate::of(written);
    for (part, value) in [("era", era), ("year", year), ("month", month), ("day", day)] {
        put(&format!("{name}.{part}"), &value);
    }
}

/// Whether a name holds no sign that stands for letters which nobody heard.
fn is_certain(name: &str) -> bool {
    !name.contains(['?', '*', '？', '＊'])
}

fn is_kana(name: &str) -> bool {
    let is_kana = |letter: char| matches!(letter, 'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー' | '・' | ' ' | '\u{3000}');
    name.chars().all(is_kana)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(typed: &[(&str, &str)]) -> Vec<(String, String)> {
        let form = Form::with(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let today = time::Date::from_calendar_date(2026, time::Month::November, 30).unwrap();
        known_in_record(&form, Language::Japanese, today)
    }

    #[test]
    fn what_is_known_is_not_typed_twice_and_nothing_is_made_up() {
        let known = known(&[
            ("purpose", "new_report"),
            ("child_name", "かくう みお"),
            ("guardian_name", "架空?"),
            ("sex", "2"),
            ("birth_age", "7"),
            ("address", "架空町1丁目"),
            ("report", "泣き声"),
        ]);
        let value = |name: &str| known.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
        assert_eq!(value("index.child.name.written"), Some("かくう みお"));
        assert_eq!(value("index.child.name.kana"), Some("かくう みお"));
        assert_eq!(value("index.guardian.1.name.written"), None);
        assert_eq!(value("index.child.birthDate.year"), None);
        assert_eq!(value("case.report.1.date.month"), Some("11"));
        let content = "泣き声\n聞き取った保護者の氏名：架空?\n聞き取った年齢：7歳";
        assert_eq!(value("case.report.1.content"), Some(content));
    }

    #[test]
    fn a_birth_date_is_taken_as_far_as_it_is_known() {
        let known = known(&[("birth_on", "令和元年5月"), ("sex", "any")]);
        let parts: Vec<(&str, &str)> =
            known.iter().map(|(name, value)| (name.as_str().rsplit('.').next().unwrap(), value.as_str())).collect();
        assert_eq!(parts, [("era", "令和"), ("year", "元"), ("month", "5"), ("day", "")]);
    }
}
