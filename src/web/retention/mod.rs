//! How long records are kept, which are due, and lists of records to dispose of.

mod disposals;
mod due;

use std::collections::BTreeMap;

use askama::Template;

use self::{
    disposals::{disposals, withdraw},
    due::{ask, due},
};
use super::{
    form::Form,
    input::Input,
    language::Language,
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::retention::{RetentionClass, RetentionRule, RetentionSettings},
    error::Error,
    face::{
        answer::Answer,
        route::{ADMINISTER, ANY, BODIES, REVIEW, Route, SUPERVISE},
    },
    operations::retention::retain_records::{ChangeRetention, RetentionView, change_retention, view_retention},
};

pub const PAGES: &[Route] = &[
    show("/retention").titled("保存期間", "Retention").for_whom(BODIES, ANY).made_by(page!(retention)),
    act("/retention")
        .titled("保存期間を延ばす", "Lengthen retention")
        .for_whom(BODIES, ADMINISTER)
        .made_by(page!(lengthen)),
    show("/disposals").titled("廃棄一覧", "Disposals").for_whom(BODIES, REVIEW).made_by(page!(disposals)),
    show("/disposals/due").titled("保存期間が満了した記録", "What is due").for_whom(BODIES, REVIEW).made_by(page!(due)),
    act("/disposals/due").titled("廃棄を申請する", "Ask to dispose").for_whom(BODIES, SUPERVISE).made_by(page!(ask)),
    act("/disposals/{id}/withdraw")
        .titled("廃棄の申請を取り下げる", "Withdraw a disposal")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(withdraw)),
];

/// The classes, each with its fields and its name.
const CLASSES: [(RetentionClass, &str, &str, (&str, &str)); 6] = [
    (RetentionClass::InNeedOfProtection, "years.protection", "age.protection", ("要保護児童", "In need of protection")),
    (RetentionClass::InNeedOfSupport, "years.support", "age.support", ("要支援児童", "In need of support")),
    (RetentionClass::ExpectantMother, "years.mother", "age.mother", ("特定妊婦", "Expectant mothers")),
    (RetentionClass::Extended, "years.extended", "age.extended", ("延長者等", "Support beyond 18")),
    (RetentionClass::Other, "years.other", "age.other", ("その他・不明", "Other, not known")),
    (RetentionClass::SeriousCase, "years.serious", "age.serious", ("重大事案", "Serious cases")),
];

fn class_name(class: RetentionClass) -> (&'static str, &'static str) {
    CLASSES.iter().find(|(of, ..)| *of == class).map_or(("", ""), |(.., name)| *name)
}

/// A rule as people say it.
fn rule_of(l: Language, rule: RetentionRule) -> String {
    let years = rule.years;
    let kept = match l {
        Language::Japanese => format!("終結した年度の翌年度から{years}年"),
        Language::English => format!("{years} fiscal years after the one in which it was closed"),
    };
    match (rule.age, l) {
        (None, _) => kept,
        (Some(age), Language::Japanese) => format!("{kept}間、又は児童が{age}歳に達するまでのいずれか長い期間"),
        (Some(age), Language::English) => format!("{kept}, or until the child is {age}, whichever is longer"),
    }
}

struct ClassRow {
    name: &'static str,
    standard: String,
    in_force: String,
    is_longer: bool,
}

#[derive(Template)]
#[template(path = "retention/retention.html")]
struct RetentionPage {
    shell: Shell,
    form: Form,
    rows: Vec<ClassRow>,
    /// For whom may lengthen them: years and age, class by class.
    inputs: Vec<(&'static str, Input, Input)>,
    sees_disposals: bool,
}

impl RetentionPage {
    async fn of(visit: &Visit, form: Option<Form>) -> Result<Self, Error> {
        const DONE: &[(&str, (&str, &str))] = &[("changed", ("保存期間の定めを変更しました。", "It was changed."))];
        let l = visit.language();
        let found = view_retention(&visit.gateway, &visit.caller).await?;
        let RetentionView { standard, in_force } = found.value();
        let form = form.unwrap_or_else(|| Form::with(typed(in_force)));
        let row = |(class, _, _, name): (RetentionClass, &str, &str, (&'static str, &'static str))| {
            let (standard, in_force) = (standard.get(&class)?, in_force.get(&class)?);
            Some(ClassRow {
                name: l.of_pair(name),
                standard: rule_of(l, *standard),
                in_force: rule_of(l, *in_force),
                is_longer: standard != in_force,
            })
        };
        let input =
            |(_, years, age, name): (RetentionClass, &'static str, &'static str, (&'static str, &'static str))| {
                let number = |field, (ja, en): (&str, &str)| {
                    let label = (format!("{}：{ja}", name.0), format!("{}: {en}", name.1));
                    Input::line(l, &form, field, (&label.0, &label.1)).width("w-xs")
                };
                let years = number(years, ("保存する年数（年）", "years")).required();
                (l.of_pair(name), years, number(age, ("児童の年齢（歳）", "age of the child")))
            };
        let may_lengthen = visit.caller.has_any_role(ADMINISTER);
        Ok(Self {
            rows: CLASSES.into_iter().filter_map(row).collect(),
            inputs: if may_lengthen { CLASSES.map(input).into() } else { Vec::new() },
            sees_disposals: visit.caller.has_any_role(REVIEW),
            form,
            shell: visit.shell(("保存期間", "Retention"), PagePart::Settings).await?.after(visit, DONE),
        })
    }
}

/// The rules in force, as they stand in the form.
fn typed(in_force: &BTreeMap<RetentionClass, RetentionRule>) -> Vec<(String, String)> {
    let fields = CLASSES.iter().filter_map(|(class, years, age, _)| {
        let rule = in_force.get(class)?;
        let until = rule.age.map(|age| age.to_string()).unwrap_or_default();
        Some([((*years).to_owned(), rule.years.to_string()), ((*age).to_owned(), until)])
    });
    fields.flatten().collect()
}

async fn retention(visit: Visit) -> Result<Answer, Error> {
    shown(&RetentionPage::of(&visit, None).await?)
}

async fn lengthen(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let is_field = |name: &str| CLASSES.iter().any(|(_, years, age, _)| [*years, *age].contains(&name));
    let mut form = Form::read(&visit.call, is_field)?;
    let mut rules = BTreeMap::new();
    for (class, years, age, _) in CLASSES {
        let mut number = |field: &str, may_be_left: bool| match form.filled(field).map(str::parse::<u16>) {
            Some(Ok(number)) => Some(number),
            None if may_be_left => None,
            _ => {
                form.fault(field, l.say("整数で入力してください。", "Enter a whole number."));
                None
            }
        };
        let (years, age) = (number(years, false), number(age, true));
        rules.extend(years.map(|years| (class, RetentionRule { years, age })));
    }
    if form.is_faulty() {
        return again(422, &RetentionPage::of(&visit, Some(form)).await?);
    }
    // What is as the standard says follows it when it changes.
    let standard = view_retention(&visit.gateway, &visit.caller).await?;
    rules.retain(|class, rule| standard.value().standard.get(class) != Some(rule));
    let asked = ChangeRetention { settings: RetentionSettings { rules }, idempotency: form.idempotency(&visit.call)? };
    match change_retention(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other("/retention?done=changed")),
        Err(error) => {
            let status = form.refused(error, l)?;
            again(status, &RetentionPage::of(&visit, Some(form)).await?)
        }
    }
}
