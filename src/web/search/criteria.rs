//! What is typed of a child, as the request of a search.

use super::CriteriaInputs;
use crate::{
    domain::purpose::Purpose,
    operations::search::search_nationwide::{BirthRequest, SearchRequest},
    search::query::NearMisses,
    web::{
        form::Form,
        input::{ChoiceInput, Input},
        language::Language,
    },
};

pub(super) const FIELDS: [&str; 12] = [
    "purpose",
    "case_reference",
    "child_name",
    "guardian_name",
    "relative_name",
    "sex",
    "birth",
    "birth_on",
    "birth_from",
    "birth_to",
    "birth_age",
    "page",
];

/// For what one searches, as people call it.
pub(super) const PURPOSES: [(Purpose, (&str, &str)); 4] = [
    (Purpose::NewReport, ("通告・相談の受理", "a new report")),
    (Purpose::Casework, ("進行中のケースへの対応", "a case in hand")),
    (Purpose::Transfer, ("転出入・ケース移管", "a family that moves")),
    (Purpose::MissingChild, ("行方不明児童", "a missing child")),
];

pub(super) fn criteria_inputs(l: Language, form: &Form) -> CriteriaInputs {
    let name = |name, label| Input::line(l, form, name, label);
    let mut purpose = ChoiceInput::of(l, form, "purpose", ("目的", "Purpose")).required().at_first("new_report");
    for (of, label) in PURPOSES {
        purpose = purpose.option(of.as_str(), label);
    }
    CriteriaInputs {
        purpose,
        case_reference: name("case_reference", ("自機関の受付番号・ケース番号", "Your own case reference"))
            .required()
            .width("w-s")
            .support(("受付番号など。閲覧履歴に残ります", "Kept in the ledger beside the search")),
        names: vec![
            name("child_name", ("児童の氏名", "Name of the child")).support((
                "かな・漢字・ローマ字のどれでも、一部だけでも検索できます。分からない文字は「?」（1文字）又は「*」（何文字でも）",
                "A part is enough, in any script. ? stands for one unknown letter, * for any number",
            )),
            name("guardian_name", ("保護者の氏名", "Name of a guardian")),
            name("relative_name", ("その他の家族の氏名", "Name of a relative"))
                .support(("自機関の記録だけを検索します", "Looked for among your own records alone")),
        ],
        sex: ChoiceInput::of(l, form, "sex", ("性別", "Sex"))
            .at_first("any")
            .option("any", ("不明・指定しない", "not known"))
            .option("1", ("男", "male"))
            .option("2", ("女", "female")),
        birth: ChoiceInput::of(l, form, "birth", ("生年月日・年齢", "Birth or age"))
            .at_first("unknown")
            .option("unknown", ("不明・指定しない", "not known"))
            .option("on", ("日付・年月・年", "a day, month or year"))
            .option("between", ("期間", "a range"))
            .option("aged", ("年齢", "an age")),
        dates: vec![
            name("birth_on", ("日付・年月・年", "Day, month or year"))
                .width("w-s")
                .support(("例：2019-05-14、2019-05、2019、令和元年5月14日", "Such as 2019-05-14, 2019-05, 2019")),
            name("birth_from", ("期間の始まり", "From")).width("w-s"),
            name("birth_to", ("期間の終わり", "To")).width("w-s"),
            name("birth_age", ("年齢", "Age")).width("w-xs").support(("満年齢（歳）", "Whole years")),
        ],
    }
}

/// The request, where what was typed can be one.
pub(super) fn request_of(form: &mut Form, l: Language) -> Option<SearchRequest> {
    let text = |form: &Form, name: &str| form.filled(name).map(str::to_owned);
    let purpose = PURPOSES.iter().map(|(purpose, _)| *purpose).find(|of| of.as_str() == form.text("purpose"));
    if purpose.is_none() {
        form.fault("purpose", l.say("目的を選択してください。", "Choose a purpose."));
    }
    let birth = birth_of(form, l);
    let page = form.filled("page").map_or(Some(1), |page| page.parse().ok()).unwrap_or(1);
    let request = SearchRequest {
        purpose: purpose?,
        case_reference: form.text("case_reference").trim().to_owned(),
        child_name: text(form, "child_name"),
        guardian_name: text(form, "guardian_name"),
        relative_name: text(form, "relative_name"),
        birth,
        sex: text(form, "sex").filter(|sex| sex != "any"),
        near_misses: NearMisses::IfNone,
        page,
    };
    (!form.is_faulty()).then_some(request)
}

fn birth_of(form: &mut Form, l: Language) -> Option<BirthRequest> {
    let missing = |form: &mut Form, name| {
        form.fault(
            name,
            l.say("選んだ条件に必要です。正しく入力してください。", "Enter this for the condition that you chose."),
        );
        None
    };
    let text = |form: &Form, name: &str| form.filled(name).map(str::to_owned);
    // What was typed counts, also where nothing was chosen: it would be dropped in silence.
    let typed = || {
        let filled = |name: &str| form.filled(name).is_some();
        let kinds = [("birth_on", "on"), ("birth_from", "between"), ("birth_to", "between"), ("birth_age", "aged")];
        kinds.into_iter().find(|(name, _)| filled(name)).map(|(_, kind)| kind)
    };
    let kind = match form.text("birth") {
        chosen @ ("on" | "between" | "aged") => chosen.to_owned(),
        _ => typed().unwrap_or_default().to_owned(),
    };
    match kind.as_str() {
        "on" => match text(form, "birth_on") {
            Some(on) => Some(BirthRequest::On { on }),
            None => missing(form, "birth_on"),
        },
        "between" => match (text(form, "birth_from"), text(form, "birth_to")) {
            (Some(from), Some(to)) => Some(BirthRequest::Between { from, to }),
            (None, _) => missing(form, "birth_from"),
            (_, None) => missing(form, "birth_to"),
        },
        "aged" => match form.filled("birth_age").and_then(|age| age.parse().ok()) {
            Some(age) => Some(BirthRequest::Aged { age }),
            None => missing(form, "birth_age"),
        },
        _ => None,
    }
}
