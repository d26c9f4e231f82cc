//! A record is changed: its lock is taken when the form opens, the form holds the version that it was made from, and nothing
//! that was typed is lost.

use askama::Template;
use uuid::Uuid;

use super::{
    buttons::{DRAFT, OPEN, Pressed, VERSION, WITH, is_button, pressed},
    differences::{Difference, differences},
    draft::{DraftState, drop_sent, keep, opened},
    fields::{is_known, of_section},
    from_form,
    head::{ChildHead, group_of, index_of, left_out_of_form, record_of, seen},
    history::version_seen,
    look_up::look_up,
    reading::ReadValue,
    record::sections_of,
    sheet::{SheetSection, sheet},
    words,
};
use crate::{
    disclosure::{
        gate::Disclosed,
        view::{CLOSED_BY_SHIELD, Extent, Item, RecordView},
    },
    domain::{
        format::document::section_field,
        visibility::{GroupSet, ItemGroup},
    },
    error::{Error, RecordError, RequestError},
    face::{answer::Answer, route::SUPERVISE},
    operations::records::{
        edit_lock::{
            ChangeEditLock, EditLockHeld, TakeOverEditLock, TakeOverReason, ViewEditLock, release_edit_lock,
            take_edit_lock, take_over_edit_lock, view_edit_lock,
        },
        update_record::{UpdateRecord, update_record},
    },
    planted::Planted,
    web::{
        cookies::random_value,
        dates::moment_of,
        form::{Form, KEY},
        input::Input,
        language::Language,
        page::{Visit, again, done_silently, see_other, shown},
        shell::{PagePart, Shell},
    },
};

/// The version that is written over, by whoever saw what changed in it.
const OVER: &str = "over";

const TITLE: (&str, &str) = ("児童記録票の編集", "Edit a record");

/// Who works on a record.
pub struct EditState {
    held: Option<EditLockHeld>,
    is_own: bool,
    /// Who, where and until when.
    pub said: String,
}

impl EditState {
    /// Whether another person, or oneself at another terminal, works on it.
    pub fn is_elsewhere(&self) -> bool {
        self.held.is_some() && !self.is_own
    }
}

/// Who works on a record of the caller's body.
///
/// # Errors
/// [`Error::NotAvailable`] where it is another's.
pub async fn edit_state(visit: &Visit, record: Uuid) -> Result<EditState, Error> {
    let state = view_edit_lock(&visit.gateway, &visit.caller, ViewEditLock { record }).await?;
    let held = state.value().held.as_ref();
    let is_own =
        held.is_some_and(|held| held.officer == visit.caller.officer() && held.terminal == visit.caller.terminal());
    let said = held.map(|held| match is_own {
        true => own_until(visit, &held.until),
        false => who_edits(visit, &held.officer, &held.terminal, &held.until),
    });
    let nobody = visit.language().say(
        "編集の期限が過ぎました。保存すると、編集を再開します。",
        "Your editing time has ended. Saving starts it again.",
    );
    let said = said.unwrap_or_else(|| nobody.to_owned());
    Ok(EditState {
        is_own,
        said,
        held: held.map(|held| EditLockHeld {
            officer: held.officer.clone(),
            terminal: held.terminal.clone(),
            until: held.until.clone(),
            record,
        }),
    })
}

fn own_until(visit: &Visit, until: &str) -> String {
    let until = moment_of(visit.language(), until);
    match visit.language() {
        Language::Japanese => {
            format!("この端末で{until}まで編集中です。その間、ほかの職員は保存できません。")
        }
        Language::English => format!("You edit it at this terminal until {until}. Nobody else can save meanwhile."),
    }
}

fn who_edits(visit: &Visit, officer: &str, terminal: &str, until: &str) -> String {
    let directory = visit.gateway.directory();
    let name =
        directory.staff(visit.caller.organization(), officer).map_or_else(|| officer.to_owned(), |staff| staff.name);
    let desk = directory.terminal(terminal).map_or_else(|| terminal.to_owned(), |terminal| terminal.label);
    let until = moment_of(visit.language(), until);
    match visit.language() {
        Language::Japanese => format!("{name}（端末 {desk}）が{until}まで編集しています。閲覧はできます。"),
        Language::English => format!("{name} at {desk} edits it until {until}. It can be read."),
    }
}

/// A section that is closed while the record is edited.
struct ClosedSection {
    id: &'static str,
    title: &'static str,
}

/// What others changed since the form was opened.
struct Stale {
    sent: i64,
    current: i64,
    differences: Vec<Difference>,
}

/// What stands above a form beside what is wrong with it.
#[derive(Default)]
struct BesideForm {
    stale: Option<Stale>,
    /// Whether it was kept as a draft, and what is said of that.
    kept: Option<(bool, String)>,
}

#[derive(Template)]
#[template(path = "records/edit.html")]
struct EditPage {
    shell: Shell,
    head: ChildHead,
    form: Form,
    sections: Vec<SheetSection>,
    closed: Vec<ClosedSection>,
    hidden: Vec<(String, String)>,
    stale: Option<Stale>,
    lock: EditState,
    draft: DraftState,
    /// What was typed into fields that there are no more.
    unknown: Vec<String>,
}

#[derive(Template)]
#[template(path = "records/locked.html")]
struct LockedPage {
    shell: Shell,
    head: ChildHead,
    form: Form,
    said: Option<String>,
    /// For a supervisor: why it is taken over.
    reason: Option<Input>,
    /// The draft that is opened once the lock is taken.
    draft: Option<Uuid>,
}

/// The draft that a form names, for the address of the page that opens it; empty where it names none.
fn draft_query(form: &Form) -> Result<String, Error> {
    let draft = form.value(DRAFT).map(Uuid::parse_str).transpose().map_err(|_| RequestError::FormField)?;
    Ok(draft.map(|draft| format!("?{DRAFT}={draft}")).unwrap_or_default())
}

pub(super) async fn edit_begin(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let form = visit.form(&[DRAFT])?;
    let draft = draft_query(&form)?;
    let asked = ChangeEditLock { record, idempotency: form.idempotency(&visit.call)? };
    match take_edit_lock(&visit.gateway, &visit.caller, asked).await {
        // Who holds it stands on the page that follows.
        Ok(_) | Err(Error::Record(RecordError::Locked(_))) => Ok(see_other(&format!("/records/{record}/edit{draft}"))),
        Err(error) => Err(error),
    }
}

pub(super) async fn edit_end(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let form = visit.form(&[])?;
    let asked = ChangeEditLock { record, idempotency: form.idempotency(&visit.call)? };
    match release_edit_lock(&visit.gateway, &visit.caller, asked).await {
        Ok(_) | Err(Error::Record(RecordError::Locked(_))) => Ok(see_other(&format!("/records/{record}?done=left"))),
        Err(error) => Err(error),
    }
}

pub(super) async fn edit_take_over(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let mut form = visit.form(&["reason", DRAFT])?;
    let draft = draft_query(&form)?;
    let reason = TakeOverReason { reason: form.text("reason").to_owned() };
    let asked = TakeOverEditLock { record, reason, idempotency: form.idempotency(&visit.call)? };
    match take_over_edit_lock(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other(&format!("/records/{record}/edit{draft}"))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            let state = edit_state(&visit, record).await?;
            again(status, &locked_page(&visit, record, state, form).await?)
        }
    }
}

async fn locked_page(visit: &Visit, record: Uuid, state: EditState, form: Form) -> Result<LockedPage, Error> {
    let index = index_of(visit, record).await?;
    let language = visit.language();
    let is_elsewhere = state.is_elsewhere();
    let may_take = is_elsewhere && SUPERVISE.iter().any(|role| visit.caller.has_role(*role));
    let reason = may_take.then(|| {
        Input::line(language, &form, "reason", ("引き継ぐ理由", "Why it is taken over"))
            .required()
            .width("w-l")
            .support((
                "編集していた職員に通知されます。その職員が保存していない入力は失われます",
                "The officer who edits is told; what was typed there and not saved is lost",
            ))
    });
    Ok(LockedPage {
        shell: visit.shell(TITLE, PagePart::Records).await?.accounted_for(index.entries()),
        head: ChildHead::of(visit, index.value()),
        said: is_elsewhere.then_some(state.said),
        reason,
        draft: visit.call.query_id(DRAFT)?.or_else(|| Uuid::parse_str(form.text(DRAFT)).ok()),
        form,
    })
}

pub(super) async fn edit_show(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let state = edit_state(&visit, record).await?;
    if !state.is_own {
        return shown(&locked_page(&visit, record, state, Form::default()).await?);
    }
    let Some(opened) = opened(&visit, Some(record)).await? else {
        let view = seen(&visit, record, Extent::Closed).await?;
        let form = Form::with(fields_of(view.value()));
        return shown(&edit_page(&visit, form, (view.value(), view.entries()), BesideForm::default()).await?);
    };
    // As it was typed, over the version from which it was made.
    let index = index_of(&visit, record).await?;
    let entries = [opened.entries.as_slice(), index.entries()].concat();
    let page = edit_page(&visit, opened.form, (index.value(), &entries), BesideForm::default()).await?;
    shown(&EditPage { unknown: opened.unknown, ..page })
}

/// The fields of a form for a record as it is seen: its version, what may be closed and is not, and its sections.
fn fields_of(view: &RecordView) -> Vec<(String, String)> {
    let left_out = left_out_of_form(view);
    let mut fields = vec![(VERSION.to_owned(), view.version.to_string())];
    let open = CLOSED_BY_SHIELD.into_iter().filter(|group| !left_out.contains(*group));
    fields.extend(open.filter_map(section_field).map(|field| (format!("{WITH}{}", field.name), "1".to_owned())));
    for (group, item) in view.items.iter().filter(|(group, _)| !left_out.contains(*group)) {
        if let (Item::Shown(element), Some(field)) = (item, section_field(*group)) {
            fields.extend(of_section(element, field));
        }
    }
    fields
}

/// Groups that are not in a form: the shield, which is set apart, and what is closed.
fn left_out(form: &Form) -> GroupSet {
    let is_in = |group: &ItemGroup| {
        section_field(*group).is_some_and(|field| form.value(&format!("{WITH}{}", field.name)).is_some())
    };
    GroupSet::of(CLOSED_BY_SHIELD.into_iter().filter(|group| !is_in(group))).with(ItemGroup::Shielded)
}

async fn edit_page(
    visit: &Visit,
    form: Form,
    (view, entries): (&RecordView, &[Uuid]),
    beside: BesideForm,
) -> Result<EditPage, Error> {
    let (language, record) = (visit.language(), view.record);
    let left_out = left_out(&form);
    let closed = CLOSED_BY_SHIELD
        .into_iter()
        .filter(|group| left_out.contains(*group))
        .filter_map(section_field)
        .map(|field| ClosedSection { id: field.name, title: words::label(language, field.name, field) })
        .collect();
    let is_hidden = |name: &str| name == VERSION || name.starts_with(WITH);
    let hidden = form.fields().filter(|(name, _)| is_hidden(name));
    Ok(EditPage {
        shell: visit.shell(TITLE, PagePart::Records).await?.accounted_for(entries),
        head: ChildHead::of(visit, view),
        sections: sheet(language, &form, left_out),
        hidden: hidden.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        closed,
        lock: edit_state(visit, record).await?,
        draft: DraftState::of(visit, Some(record), &form, beside.kept).await?,
        form,
        stale: beside.stale,
        unknown: Vec::new(),
    })
}

fn is_of_edit(name: &str) -> bool {
    let may_close = |section: &str| group_of(section).is_some_and(|group| CLOSED_BY_SHIELD.contains(&group));
    is_known(name)
        || is_button(name)
        || matches!(name, VERSION | OPEN | OVER)
        || name.strip_prefix(WITH).is_some_and(may_close)
}

pub(super) async fn edit_act(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let mut form = Form::read(&visit.call, is_of_edit)?;
    let (mut status, pressed) = (200, pressed(&form)?);
    match pressed {
        Pressed::Add => {}
        Pressed::LookUp => look_up(&mut form, visit.language()),
        Pressed::Save | Pressed::SaveByScript => {
            let kept = keep(&visit, Some(record), &mut form).await?;
            status = if kept.0 { 200 } else { 409 };
            if pressed == Pressed::SaveByScript {
                keep_lock(&visit, record, &mut form).await?;
                return Ok(done_silently(status));
            }
            return show_again(&visit, record, form, (status, kept)).await;
        }
        Pressed::Open => {
            let group = group_of(form.text(OPEN)).filter(|group| CLOSED_BY_SHIELD.contains(group));
            return open_in_form(&visit, record, form, group.ok_or(RequestError::FormField)?).await;
        }
        Pressed::Send => match save(&visit, record, &mut form).await? {
            Saved::Written => return Ok(see_other(&format!("/records/{record}?done=updated"))),
            Saved::Stale { sent, current } => return stale(&visit, record, form, (sent, current)).await,
            Saved::Refused(refused) => status = refused,
        },
    }
    let kept = keep(&visit, Some(record), &mut form).await?;
    show_again(&visit, record, form, (status, kept)).await
}

/// The form again, kept as a draft; who goes on typing keeps the lock.
async fn show_again(
    visit: &Visit,
    record: Uuid,
    mut form: Form,
    (status, kept): (u16, (bool, String)),
) -> Result<Answer, Error> {
    if !form.is_faulty() || status == 422 {
        keep_lock(visit, record, &mut form).await?;
    }
    let index = index_of(visit, record).await?;
    let beside = BesideForm { kept: Some(kept), ..BesideForm::default() };
    again(status, &edit_page(visit, form, (index.value(), index.entries()), beside).await?)
}

async fn keep_lock(visit: &Visit, record: Uuid, form: &mut Form) -> Result<(), Error> {
    // Each renewal counts, also that of a form which is sent again with more in it: no two share a key.
    let key = if Planted::RenewOnce.is_planted() { Some(format!("{}-renew", form.text(KEY))) } else { random_value() };
    let key = key.and_then(|key| visit.call.keyed(&key));
    let Some(idempotency) = key else { return Err(RequestError::FormField.into()) };
    match take_edit_lock(&visit.gateway, &visit.caller, ChangeEditLock { record, idempotency }).await {
        Ok(_) => Ok(()),
        Err(error) => form.refused(error, visit.language()).map(|_| ()),
    }
}

/// A closed section comes into the form, by a disclosure of its own; nothing that was typed is lost.
async fn open_in_form(visit: &Visit, record: Uuid, mut form: Form, group: ItemGroup) -> Result<Answer, Error> {
    let kept = Some(keep(visit, Some(record), &mut form).await?);
    let view = seen(visit, record, Extent::Only(GroupSet::of([group]))).await?;
    if let Some(field) = section_field(group) {
        let there = view.value().items.iter().find(|(of, _)| *of == group);
        if let Some((_, Item::Shown(element))) = there {
            of_section(element, field).into_iter().for_each(|(name, value)| form.put(name, value));
        }
        form.put(format!("{WITH}{}", field.name), "1".to_owned());
    }
    keep_lock(visit, record, &mut form).await?;
    let beside = BesideForm { kept, ..BesideForm::default() };
    shown(&edit_page(visit, form, (view.value(), view.entries()), beside).await?)
}

enum Saved {
    Written,
    Stale { sent: i64, current: i64 },
    Refused(u16),
}

async fn save(visit: &Visit, record: Uuid, form: &mut Form) -> Result<Saved, Error> {
    let (language, gateway) = (visit.language(), &visit.gateway);
    let version = form.filled(OVER).or(form.filled(VERSION)).and_then(|version| version.parse().ok());
    let version: i64 = version.ok_or(RequestError::FormField)?;
    let keeps = left_out(form);
    let Some(document) = from_form::document(form, keeps, &gateway.registry, language) else {
        return Ok(Saved::Refused(422));
    };
    let asked = UpdateRecord { record, version, document, keeps, idempotency: form.idempotency(&visit.call)? };
    match update_record(gateway, &visit.caller, asked).await {
        Ok(_) => {
            drop_sent(visit, form).await;
            // It ends by itself where it cannot be given back now.
            if let Some(idempotency) = visit.call.keyed(&format!("{}-end", form.text(KEY))) {
                let _ = release_edit_lock(gateway, &visit.caller, ChangeEditLock { record, idempotency }).await;
            }
            Ok(Saved::Written)
        }
        Err(Error::Request(RequestError::Faults(faults))) => {
            from_form::refused(form, &faults, keeps, &gateway.registry, language);
            Ok(Saved::Refused(422))
        }
        Err(Error::Record(RecordError::StaleVersion { sent, current })) => Ok(Saved::Stale { sent, current }),
        Err(Error::Record(RecordError::Locked(lock))) => {
            let said = who_edits(visit, &lock.officer, &lock.terminal, &lock.until.to_rfc3339());
            let status = form.refused(RecordError::Locked(lock).into(), language)?;
            form.say_instead(said);
            Ok(Saved::Refused(status))
        }
        Err(error) => Ok(Saved::Refused(form.refused(error, language)?)),
    }
}

/// Somebody else wrote a version meanwhile: what they changed stands beside what was typed, and one may write over it.
async fn stale(visit: &Visit, record: Uuid, mut form: Form, (sent, current): (i64, i64)) -> Result<Answer, Error> {
    let status = form.refused(RecordError::StaleVersion { sent, current }.into(), visit.language())?;
    let kept = Some(keep(visit, Some(record), &mut form).await?);
    // What is in the form is compared, also where a shield closes it otherwise: it would be written over unseen.
    let closed = left_out(&form);
    let written = GroupSet::of(ItemGroup::ALL.iter().copied().filter(|group| !closed.contains(*group)));
    let after = version_seen(visit, record, (current, Extent::Only(written))).await?;
    // Of a time when the record was another body's there is nothing to compare with.
    let before = match version_seen(visit, record, (sent, Extent::Only(written))).await {
        Ok(before) => Some(before),
        Err(Error::NotAvailable) => None,
        Err(error) => return Err(error),
    };
    let sections =
        |view: &RecordView| sections_of(visit, view).into_iter().map(|(_, section)| section).collect::<Vec<_>>();
    let found = |before: &Disclosed<RecordView>| differences(&sections(before.value()), &sections(after.value()));
    let differences = before.as_ref().map(found).unwrap_or_default();
    let entries = before.iter().chain([&after]).flat_map(|view| view.entries().to_vec()).collect::<Vec<_>>();
    let stale = Stale { sent, current, differences };
    again(status, &edit_page(visit, form, (after.value(), &entries), BesideForm { stale: Some(stale), kept }).await?)
}
