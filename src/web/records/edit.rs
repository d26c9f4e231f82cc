//! A record is changed: its lock is taken when the form opens, the form holds the version that it was made from, and nothing
//! that was typed is lost.

use askama::Template;
use uuid::Uuid;

use super::{
    differences::{Difference, differences},
    fields::{is_known, of_section},
    from_form,
    head::{ChildHead, group_of, index_of, left_out_of_form, record_of, seen},
    history::version_seen,
    reading::ReadValue,
    record::sections_of,
    sheet::{ADD, SheetSection, sheet},
    words,
};
use crate::{
    disclosure::view::{CLOSED_BY_SHIELD, Extent, Item, RecordView},
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
    web::{
        dates::moment_of,
        form::{Form, KEY},
        input::Input,
        language::Language,
        page::{Visit, again, see_other, shown},
        shell::{PagePart, Shell},
    },
};

/// The version from which the form was made.
const VERSION: &str = "version";
/// A section that is closed is to be opened in the form.
const OPEN: &str = "open";
/// The version that is written over, by whoever saw what changed in it.
const OVER: &str = "over";
/// Says of a section that a shield may close that it is in the form: `with.contact`.
const WITH: &str = "with.";

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
    let said = held.map(|held| who_edits(visit, &held.officer, &held.terminal, &held.until)).unwrap_or_default();
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

fn who_edits(visit: &Visit, officer: &str, terminal: &str, until: &str) -> String {
    let directory = visit.gateway.directory();
    let name =
        directory.staff(visit.caller.organization(), officer).map_or_else(|| officer.to_owned(), |staff| staff.name);
    let desk = directory.terminal(terminal).map_or_else(|| terminal.to_owned(), |terminal| terminal.label);
    let until = moment_of(visit.language(), until);
    match visit.language() {
        Language::Japanese => format!("{name}（端末 {desk}）が {until} まで編集しています。読むことはできます。"),
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
}

pub(super) async fn edit_begin(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let form = visit.form(&[])?;
    let asked = ChangeEditLock { record, idempotency: form.idempotency(&visit.call)? };
    match take_edit_lock(&visit.gateway, &visit.caller, asked).await {
        // Who holds it stands on the page that follows.
        Ok(_) | Err(Error::Record(RecordError::Locked(_))) => Ok(see_other(&format!("/records/{record}/edit"))),
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
    let mut form = visit.form(&["reason"])?;
    let reason = TakeOverReason { reason: form.text("reason").to_owned() };
    let asked = TakeOverEditLock { record, reason, idempotency: form.idempotency(&visit.call)? };
    match take_over_edit_lock(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other(&format!("/records/{record}/edit"))),
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
        form,
    })
}

pub(super) async fn edit_show(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let state = edit_state(&visit, record).await?;
    if !state.is_own {
        return shown(&locked_page(&visit, record, state, Form::default()).await?);
    }
    let view = seen(&visit, record, Extent::Closed).await?;
    let form = Form::with(fields_of(view.value()));
    shown(&edit_page(&visit, form, (view.value(), view.entries()), None).await?)
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
    stale: Option<Stale>,
) -> Result<EditPage, Error> {
    let language = visit.language();
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
        form,
        stale,
    })
}

fn is_of_edit(name: &str) -> bool {
    let may_close = |section: &str| group_of(section).is_some_and(|group| CLOSED_BY_SHIELD.contains(&group));
    is_known(name) || matches!(name, VERSION | ADD | OPEN | OVER) || name.strip_prefix(WITH).is_some_and(may_close)
}

pub(super) async fn edit_act(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let mut form = Form::read(&visit.call, is_of_edit)?;
    let asked_to_open = form.value(OPEN).map(group_of);
    match asked_to_open {
        Some(Some(group)) if CLOSED_BY_SHIELD.contains(&group) => {
            return open_in_form(&visit, record, form, group).await;
        }
        Some(_) => return Err(RequestError::FormField.into()),
        None => {}
    }
    let status = match form.value(ADD).is_some() {
        true => 200,
        false => match save(&visit, record, &mut form).await? {
            Saved::Written => return Ok(see_other(&format!("/records/{record}?done=updated"))),
            Saved::Stale { sent, current } => return stale(&visit, record, form, (sent, current)).await,
            Saved::Refused(status) => status,
        },
    };
    show_again(&visit, record, form, status).await
}

/// The form again; who goes on typing keeps the lock.
async fn show_again(visit: &Visit, record: Uuid, mut form: Form, status: u16) -> Result<Answer, Error> {
    if !form.is_faulty() || status == 422 {
        keep_lock(visit, record, &mut form).await?;
    }
    let index = index_of(visit, record).await?;
    again(status, &edit_page(visit, form, (index.value(), index.entries()), None).await?)
}

async fn keep_lock(visit: &Visit, record: Uuid, form: &mut Form) -> Result<(), Error> {
    let key = format!("{}-renew", form.text(KEY));
    let Some(idempotency) = visit.call.keyed(&key) else { return Err(RequestError::FormField.into()) };
    match take_edit_lock(&visit.gateway, &visit.caller, ChangeEditLock { record, idempotency }).await {
        Ok(_) => Ok(()),
        Err(error) => form.refused(error, visit.language()).map(|_| ()),
    }
}

/// A closed section comes into the form, by a disclosure of its own; nothing that was typed is lost.
async fn open_in_form(visit: &Visit, record: Uuid, mut form: Form, group: ItemGroup) -> Result<Answer, Error> {
    let view = seen(visit, record, Extent::Only(GroupSet::of([group]))).await?;
    if let Some(field) = section_field(group) {
        let there = view.value().items.iter().find(|(of, _)| *of == group);
        if let Some((_, Item::Shown(element))) = there {
            of_section(element, field).into_iter().for_each(|(name, value)| form.put(name, value));
        }
        form.put(format!("{WITH}{}", field.name), "1".to_owned());
    }
    keep_lock(visit, record, &mut form).await?;
    shown(&edit_page(visit, form, (view.value(), view.entries()), None).await?)
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
    let before = version_seen(visit, record, sent).await?;
    let after = version_seen(visit, record, current).await?;
    let sections =
        |view: &RecordView| sections_of(visit, view).into_iter().map(|(_, section)| section).collect::<Vec<_>>();
    let differences = differences(&sections(before.value()), &sections(after.value()));
    let entries = [before.entries(), after.entries()].concat();
    let stale = Stale { sent, current, differences };
    again(status, &edit_page(visit, form, (after.value(), &entries), Some(stale)).await?)
}
