//! Missing children (行方不明児童, CA情報): notices to every center, their answers on a map, and sightings.

mod map;
mod search;
mod write;

use askama::Template;
use uuid::Uuid;

use self::{
    map::TileMap,
    search::find,
    write::{broadcast, cancel, edit, new_notice, update},
};
use super::{
    dates::{moment_of, partial},
    form::Form,
    input::{ChoiceInput, Input, TextArea},
    language::Language,
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::{
        calendar::PartialDate,
        missing_notice::{ListedNotices, NoticeAnswer, NoticeState},
    },
    error::Error,
    face::{
        answer::Answer,
        route::{CASEWORK, CENTERS, READ, Route},
    },
    operations::missing_children::{
        answer_missing_notice::{AnswerNotice, AnswerRequest, answer_notice},
        list_missing_notices::{ListNotices, ListedNotice, list_notices},
        view_missing_notice::{ViewNotice, view_notice, view_notice_centers},
    },
};

pub const PAGES: &[Route] = &[
    show("/missing").titled("行方不明児童", "Missing children").for_whom(CENTERS, READ).made_by(page!(notices)),
    show("/missing/new").titled("通知を出す", "A new notice").for_whom(CENTERS, CASEWORK).made_by(page!(new_notice)),
    act("/missing/new")
        .titled("全国の児童相談所に通知する", "Notify all centers")
        .for_whom(CENTERS, CASEWORK)
        .made_by(page!(broadcast)),
    show("/missing/{id}").titled("行方不明児童の通知", "A notice").for_whom(CENTERS, READ).made_by(page!(notice)),
    act("/missing/search").titled("通知を検索する", "Search notices").for_whom(CENTERS, CASEWORK).made_by(page!(find)),
    show("/missing/{id}/edit")
        .titled("通知を更新する", "Update a notice")
        .for_whom(CENTERS, CASEWORK)
        .made_by(page!(edit)),
    act("/missing/{id}/edit")
        .titled("通知を更新する", "Update a notice")
        .for_whom(CENTERS, CASEWORK)
        .made_by(page!(update)),
    act("/missing/{id}/answer")
        .titled("通知に回答する", "Answer a notice")
        .for_whom(CENTERS, CASEWORK)
        .made_by(page!(answer)),
    act("/missing/{id}/cancel")
        .titled("通知を解除する", "Cancel a notice")
        .for_whom(CENTERS, CASEWORK)
        .made_by(page!(cancel)),
];

const DONE: &[(&str, (&str, &str))] = &[
    ("sent", ("全国の児童相談所に通知しました。", "Every center was told.")),
    ("updated", ("通知を更新し、全国の児童相談所に知らせました。", "It was updated, and every center was told.")),
    ("answered", ("回答しました。", "It was answered.")),
    ("cancelled", ("通知を解除しました。", "It was cancelled.")),
];

struct NoticeRow {
    id: String,
    name: String,
    birth: String,
    issuer: String,
    state: &'static str,
    is_exercise: bool,
    issued_at: String,
    is_own: bool,
    is_addressed: bool,
    answered_at: Option<String>,
}

impl NoticeRow {
    fn of(visit: &Visit, l: Language, listed: &ListedNotice) -> Self {
        let birth = PartialDate::parse(&listed.birth_date);
        Self {
            id: listed.line.notice.to_string(),
            name: listed.name.clone(),
            birth: birth.map_or_else(|| listed.birth_date.clone(), |birth| partial(l, birth)),
            issuer: visit.gateway.registry.name(&listed.line.issuer),
            state: l.of_pair(state_name(listed.line.state)),
            is_exercise: listed.line.exercise,
            issued_at: moment_of(l, &listed.line.issued_at),
            is_own: listed.own,
            is_addressed: listed.addressed,
            answered_at: listed.answered_at.as_ref().map(|at| moment_of(l, at)),
        }
    }
}

fn state_name(state: NoticeState) -> (&'static str, &'static str) {
    match state {
        NoticeState::Alert => ("発出中", "issued"),
        NoticeState::Update => ("更新", "updated"),
        NoticeState::Cancel => ("解除", "cancelled"),
    }
}

#[derive(Template)]
#[template(path = "missing/notices.html")]
struct NoticesPage {
    shell: Shell,
    ended: bool,
    rows: Vec<NoticeRow>,
    next: Option<Uuid>,
    set_aside: usize,
    writes: bool,
    name: Input,
}

async fn notices(visit: Visit) -> Result<Answer, Error> {
    let ended = visit.call.query.get("which").is_some_and(|which| which == "ended");
    let which = if ended { ListedNotices::Ended } else { ListedNotices::Standing };
    let before = visit.call.query_id("before")?.unwrap_or(Uuid::max());
    let page = list_notices(&visit.gateway, &visit.caller, ListNotices { which, before }).await?;
    let shell =
        visit.shell(("行方不明児童", "Missing children"), PagePart::Missing).await?.accounted_for(page.entries());
    let l = shell.language;
    shown(&NoticesPage {
        rows: page.value().notices.iter().map(|listed| NoticeRow::of(&visit, l, listed)).collect(),
        next: page.value().next,
        set_aside: page.value().set_aside,
        writes: visit.caller.has_any_role(CASEWORK),
        name: search::name_input(l, &Form::default()),
        ended,
        shell,
    })
}

#[derive(Template)]
#[template(path = "missing/notice.html")]
struct NoticePage {
    shell: Shell,
    form: Form,
    id: String,
    version: i64,
    issuer: String,
    state: &'static str,
    is_exercise: bool,
    issued_at: String,
    name: String,
    kana: String,
    sex: &'static str,
    birth: String,
    guardians: Vec<String>,
    circumstances: String,
    contact: String,
    /// For another center that may answer.
    answer: Option<(ChoiceInput, TextArea)>,
    /// For the issuer.
    map: Option<TileMap>,
    sightings: Vec<(String, String, String)>,
    cancels: bool,
}

impl NoticePage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let notice = visit.call.id("id").map_err(|_| Error::NotFound("notice"))?;
        let found = view_notice(&visit.gateway, &visit.caller, ViewNotice { notice }).await?;
        let shell = visit.shell(("行方不明児童の通知", "A notice"), PagePart::Missing).await?;
        let mut shell = shell.accounted_for(found.entries()).after(visit, DONE);
        let (content, line) = (&found.value().data, &found.value().facts);
        let is_own = line.issuer == *visit.caller.organization();
        let (mut map, mut sightings) = (None, Vec::new());
        if is_own {
            let centers = view_notice_centers(&visit.gateway, &visit.caller, ViewNotice { notice }).await?;
            shell = shell.accounted_for(centers.entries());
            let states = &centers.value().data;
            map = Some(TileMap::of(l, states));
            let sighted = states.iter().filter(|state| state.answer.as_deref() == Some("sighted"));
            sightings = sighted.map(|state| map::sighting(l, &visit.gateway.registry, state)).collect();
        }
        let is_over = line.state == NoticeState::Cancel;
        let casework = visit.caller.has_any_role(CASEWORK);
        let birth = PartialDate::parse(&content.child.birth_date);
        Ok(Self {
            id: notice.to_string(),
            version: line.version,
            issuer: visit.gateway.registry.name(&line.issuer),
            state: l.of_pair(state_name(line.state)),
            is_exercise: line.exercise,
            issued_at: moment_of(l, &line.issued_at),
            name: content.child.name.clone(),
            kana: content.child.kana.clone().unwrap_or_default(),
            sex: match content.child.sex.as_str() {
                "1" => l.say("男", "male"),
                "2" => l.say("女", "female"),
                _ => l.say("不明", "not known"),
            },
            birth: birth.map_or_else(|| content.child.birth_date.clone(), |birth| partial(l, birth)),
            guardians: content.child.guardians.clone(),
            circumstances: content.circumstances.clone(),
            contact: content.contact.clone(),
            answer: (!is_own && casework && !is_over).then(|| answer_inputs(l, &form)),
            map,
            sightings,
            cancels: is_own && casework && !is_over,
            form,
            shell,
        })
    }
}

fn answer_inputs(l: Language, form: &Form) -> (ChoiceInput, TextArea) {
    let answer = ChoiceInput::of(l, form, "answer", ("照合の結果", "What you found"))
        .required()
        .option(
            "not_here",
            ("管内に該当なし（記録を照合し、職員に確認した）", "Not here (records checked, staff asked)"),
        )
        .option("sighted", ("目撃・該当の可能性あり", "Sighted, or may be here"));
    let details =
        TextArea::of(l, form, "details", ("目撃の内容（いつ・どこで・誰が）", "What was seen, where and when"));
    (
        answer,
        details.support((
            "「目撃・該当の可能性あり」を選んだときは必ず入力",
            "Required if you choose “Sighted, or may be here”",
        )),
    )
}

async fn notice(visit: Visit) -> Result<Answer, Error> {
    shown(&NoticePage::of(&visit, Form::default()).await?)
}

async fn answer(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let mut form = visit.form(&["answer", "details"])?;
    let chosen = match form.text("answer") {
        "not_here" => Some(NoticeAnswer::NotHere),
        "sighted" => Some(NoticeAnswer::Sighted),
        _ => None,
    };
    let Some(answer) = chosen else {
        form.fault("answer", l.say("照合の結果を選択してください。", "Choose what you found."));
        return again(422, &NoticePage::of(&visit, form).await?);
    };
    let asked = AnswerNotice {
        notice: visit.call.id("id").map_err(|_| Error::NotFound("notice"))?,
        answer: AnswerRequest { answer, details: form.filled("details").map(str::to_owned) },
        idempotency: form.idempotency(&visit.call)?,
    };
    match answer_notice(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other(&format!("/missing/{}?done=answered", visit.call.segment("id")))),
        Err(error) => {
            let status = form.refused(error, l)?;
            again(status, &NoticePage::of(&visit, form).await?)
        }
    }
}
