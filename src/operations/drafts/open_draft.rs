//! Opens a draft again (下書きの再開). That is a disclosure: what is in it may tell anything of a child.

use uuid::Uuid;

use crate::{
    disclosure::gate::Disclosed,
    domain::{
        draft::{Draft, DraftContent},
        visibility::Relation,
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::{Act, Entry, RecordRef},
    operations::refuse_read,
    planted::Planted,
    store::{self, error::StoreError, tx::Tx},
};

/// A draft is asked for.
pub struct OpenDraft {
    pub draft: Uuid,
}

/// Shows an officer what was saved last. One that was to change a record which is not the body's own any more is not
/// opened: what the record said then is not its to read from there.
///
/// # Errors
/// [`Error::NotFound`] for a draft of anybody else, of the same body too, for one that has ended, and for one that is not
/// there; [`Error::NotAvailable`] where the record is not the body's own.
pub async fn open_draft(
    gateway: &Gateway,
    caller: &Caller,
    OpenDraft { draft: id }: OpenDraft,
) -> Result<Disclosed<DraftContent>, Error> {
    let entry = Entry::of(caller, Act::DraftView, &gateway.clock).about(id);
    let mut tx = gateway.store.read().await?;
    let own = |draft: &Draft| {
        let is_own = draft.is_of(&caller.person()) || Planted::OpenAnyDraft.is_planted();
        is_own && !draft.has_ended(gateway.clock.now())
    };
    let Some(draft) = store::drafts::find(&mut tx, id).await?.filter(own) else {
        drop(tx);
        return Err(refuse_read(gateway, caller, entry, Error::NotFound("draft")).await);
    };
    let record = own_record(&mut tx, caller, &draft).await?;
    if draft.record.is_some() && record.is_none() {
        drop(tx);
        let entry = draft.record.into_iter().fold(entry, Entry::on_record);
        return Err(refuse_read(gateway, caller, entry, Error::NotAvailable).await);
    }
    let content = store::drafts::content(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let entry = entry.as_relation(Relation::Owner);
    let entry = record.iter().fold(entry, Entry::on);
    match content {
        Some(content) => gateway.gate.draft(caller, entry, content).await,
        None => Err(refuse_read(gateway, caller, entry, Error::NotFound("draft")).await),
    }
}

/// The record that a draft is to change, where it is the caller's own.
async fn own_record(tx: &mut Tx, caller: &Caller, draft: &Draft) -> Result<Option<RecordRef>, StoreError> {
    let Some(record) = draft.record else { return Ok(None) };
    let facts = store::records::find(tx, record).await?.map(|stored| stored.facts);
    let own = facts.filter(|facts| facts.owner == *caller.organization());
    Ok(own.map(|facts| RecordRef { record, version: facts.version, owner: facts.owner }))
}
