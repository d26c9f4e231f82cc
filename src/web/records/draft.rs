//! A form of a record that is kept before it is sent (下書き): what the server last received of it is a draft of its
//! officer, until it is registered. A save is whole: where a connection is lost on the way, the one before stays.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    buttons::{DRAFT, VERSION, WITH},
    fields::is_known,
};
use crate::{
    disclosure::done::Done,
    error::{Error, RequestError},
    operations::drafts::{
        discard_draft::{DiscardDraft, discard_draft},
        list_drafts::{DraftLines, DraftsOf, ListDrafts, list_drafts},
        open_draft::{OpenDraft, open_draft},
        save_draft::{SaveDraft, save_draft},
    },
    planted::Planted,
    web::{
        assets::KEEP_SCRIPT,
        cookies::random_value,
        dates::moment_of,
        form::{Form, KEY},
        language::Language,
        page::Visit,
    },
};

/// What a form says of its draft.
pub struct DraftState {
    pub id: Uuid,
    /// What was just done: whether it was kept, and the sentence.
    pub said: Option<(bool, String)>,
    /// Other drafts of the officer's for the same form.
    pub others: usize,
}

impl DraftState {
    /// Of a form that is shown.
    ///
    /// # Errors
    /// [`RequestError::FormField`] where the form names a draft that can be none; the database failed.
    pub async fn of(
        visit: &Visit,
        record: Option<Uuid>,
        form: &Form,
        said: Option<(bool, String)>,
    ) -> Result<Self, Error> {
        let id = id_of(visit, form)?;
        let own = own(visit).await?;
        let others = own.value().drafts.iter().filter(|line| line.record == record && line.draft != id).count();
        Ok(Self { id, said, others })
    }

    /// Address of the script that keeps it.
    pub fn script(&self) -> String {
        KEEP_SCRIPT.path()
    }
}

/// The draft that a form names; a new one where it names none.
fn id_of(visit: &Visit, form: &Form) -> Result<Uuid, Error> {
    match form.value(DRAFT) {
        Some(id) => Uuid::parse_str(id).map_err(|_| RequestError::FormField.into()),
        None => Ok(visit.gateway.clock.new_id()),
    }
}

/// All that the officer has: more than one page there cannot be.
async fn own(visit: &Visit) -> Result<Done<DraftLines>, Error> {
    list_drafts(&visit.gateway, &visit.caller, ListDrafts { of: DraftsOf::Officer, after: Uuid::nil() }).await
}

/// Keeps what was received, over what was received before; says whether that was done, or why not.
///
/// # Errors
/// What is no matter of the draft: the caller is gone, a decision is to be made again, the service fails.
pub async fn keep(visit: &Visit, record: Option<Uuid>, form: &mut Form) -> Result<(bool, String), Error> {
    let (l, draft) = (visit.language(), id_of(visit, form)?);
    form.put(DRAFT.to_owned(), draft.to_string());
    // Each save counts, also one of what was saved before and changed meanwhile: no two share a key.
    let key = random_value().and_then(|key| visit.call.keyed(&key)).ok_or(RequestError::FormField)?;
    let asked = SaveDraft { draft, record, content: content_of(form), idempotency: key };
    match save_draft(&visit.gateway, &visit.caller, asked).await {
        Ok(saved) => {
            let at = |rfc3339: &str| moment_of(l, rfc3339);
            let (saved_at, ends_at) = (at(&saved.value().saved_at), at(&saved.value().ends_at));
            let said = match l {
                Language::Japanese => {
                    format!("下書きを保存しました（{saved_at}）。まだ記録にはなっていません。{ends_at}まで保管します。")
                }
                Language::English => {
                    format!("Draft saved at {saved_at}, kept until {ends_at}. It is not a record yet.")
                }
            };
            Ok((true, said))
        }
        Err(error) => {
            let mut aside = Form::default();
            aside.refused(error, l)?;
            let why = aside.refusal().map(|(title, detail)| format!("{title}。{detail}"));
            let why = why.or_else(|| aside.faults().next().map(|(_, why)| why.to_owned())).unwrap_or_default();
            let not = l.say("下書きは保存できませんでした。", "The draft was not saved. ");
            Ok((false, format!("{not}{why}")))
        }
    }
}

/// A draft that was opened again.
pub struct OpenedDraft {
    pub form: Form,
    /// What was typed into fields that there are no more.
    pub unknown: Vec<String>,
    /// The entries that account for it.
    pub entries: Vec<Uuid>,
}

/// The draft that the address of a form names, if it names one.
///
/// # Errors
/// As [`open_draft`]; [`Error::NotFound`] where it is a draft of another form; it was made of no form, by a program.
pub async fn opened(visit: &Visit, record: Option<Uuid>) -> Result<Option<OpenedDraft>, Error> {
    let Some(named) = visit.call.query.get(DRAFT) else { return Ok(None) };
    let draft = Uuid::parse_str(named).map_err(|_| Error::NotFound("draft"))?;
    let seen = open_draft(&visit.gateway, &visit.caller, OpenDraft { draft }).await?;
    let content = seen.value();
    if content.draft.record != record {
        return Err(Error::NotFound("draft"));
    }
    let Some((form, unknown)) = form_of(draft, &content.content) else {
        return Err(Error::field(
            "draft",
            "この下書きは画面の様式から保存されたものではないため、画面では開けません。",
            "must have been kept from the form of a page: no page opens another",
        ));
    };
    Ok(Some(OpenedDraft { form, unknown, entries: seen.entries().to_vec() }))
}

/// Drops the draft of a form that was sent. Nobody waits for that: what is not dropped now ends by itself.
pub async fn drop_sent(visit: &Visit, form: &Form) {
    let Ok(draft) = id_of(visit, form) else { return };
    let is_there = own(visit).await.is_ok_and(|own| own.value().drafts.iter().any(|line| line.draft == draft));
    if !is_there || Planted::KeepSentDrafts.is_planted() {
        return;
    }
    if let Some(idempotency) = visit.call.keyed(&format!("{}-drop", form.text(KEY))) {
        let _ = discard_draft(&visit.gateway, &visit.caller, DiscardDraft { draft, idempotency }).await;
    }
}

/// Whether a field is kept: what was typed, and from what the form was made.
fn is_kept(name: &str) -> bool {
    is_known(name) || name == VERSION || name.starts_with(WITH)
}

/// A draft is a list of names and values, in JSON: as a browser sends a form it would be three times as long.
fn content_of(form: &Form) -> Zeroizing<Vec<u8>> {
    let kept: Vec<(&str, &str)> = form.fields().filter(|(name, value)| is_kept(name) && !value.is_empty()).collect();
    Zeroizing::new(serde_json::to_vec(&kept).unwrap_or_default())
}

/// The form that a draft was made of, and the names of fields that no form has any more; `None` where it was made of
/// something else, by a program.
fn form_of(draft: Uuid, content: &[u8]) -> Option<(Form, Vec<String>)> {
    let fields: Vec<(String, String)> = serde_json::from_slice(content).ok()?;
    let (known, unknown): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| is_kept(name));
    let mut form = Form::with(known);
    form.put(DRAFT.to_owned(), draft.to_string());
    Some((form, unknown.into_iter().map(|(_, value)| value).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_holds_what_was_typed_and_no_token() {
        let field = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let typed = [
            ("index.child.name.written", "架空 \"花子\"\n"),
            ("contact.address", ""),
            ("version", "3"),
            ("with.contact", "1"),
            (KEY, "planted"),
            ("add", "index.guardian"),
        ];
        let content = content_of(&Form::with(typed.map(field)));
        let (form, unknown) = form_of(Uuid::nil(), &content).unwrap();
        let kept: Vec<_> = form.fields().map(|(name, _)| name).collect();
        assert_eq!(kept, ["index.child.name.written", "version", "with.contact", DRAFT]);
        assert_eq!((form.text("index.child.name.written"), unknown), ("架空 \"花子\"\n", Vec::new()));
    }

    #[test]
    fn what_no_form_has_any_more_is_told_apart() {
        let (form, unknown) =
            form_of(Uuid::nil(), r#"[["index.child.sex","2"],["gone.field","架空"]]"#.as_bytes()).unwrap();
        assert_eq!((form.text("index.child.sex"), unknown), ("2", vec!["架空".to_owned()]));
        assert!(form_of(Uuid::nil(), "氏名=龘靐".as_bytes()).is_none());
    }
}
