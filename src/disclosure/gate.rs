//! The one door: decide → reduce to the granted groups → append to the ledger → commit → disclose.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{
    done::CarriesNoRecordData,
    grant::Grant,
    sealed::Sealed,
    view::{Contact, Extent, FoundChild, FoundChildren, Item, Matched, RecordView},
};
use crate::{
    clock::Clock,
    domain::{
        attachment::AttachmentLine,
        case_record::{IndexItems, RecordFacts, Standing},
        format::{Document, Element, sections::SECTIONS},
        organization::OrganizationCode,
        purpose::{Purpose, kind_may_look_for, may_look_for},
        registry::Registry,
        relation::relation,
        visibility::{GroupSet, ItemGroup, LegalBasis, Operation, Relation, Situation, visible_groups},
    },
    error::{CallerError, Error},
    identity::{Caller, Role},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Journal,
        writer::Receipt,
    },
    keys::{error::KeyError, vault::Vault},
    ledger::entry::{Act, Entry, Logged, RecordRef},
    planted::Planted,
    search::{
        index::{Findable, Hit},
        pattern::Rank,
    },
    store::{
        error::StoreError,
        open::Store,
        reads::{self, ReadRecord, Reader},
        records::StoredRecord,
        tx::Tx,
    },
};

/// A value that may leave. Made here alone, and only with the receipt of the entry that accounts for it.
#[derive(Debug)]
pub struct Disclosed<T> {
    value: T,
    receipt: Receipt,
}

impl<T> Disclosed<T> {
    fn new(value: T, receipt: Receipt) -> Self {
        Self { value, receipt }
    }

    /// With facts that carry no record data.
    pub fn with<F: CarriesNoRecordData>(self, facts: F) -> Disclosed<With<T, F>> {
        Disclosed { value: With { data: self.value, facts }, receipt: self.receipt }
    }

    pub fn value(&self) -> &T {
        &self.value
    }

    /// Ids of the ledger entries that account for it.
    pub fn entries(&self) -> &[Uuid] {
        self.receipt.entries()
    }
}

/// Disclosed data and facts beside it that carry none.
#[derive(Debug)]
pub struct With<T, F> {
    pub data: T,
    pub facts: F,
}

/// What is asked of one record, and why.
#[derive(Clone, Copy)]
pub struct AccessRequest {
    pub record: Uuid,
    pub act: Act,
    pub operation: Operation,
    pub purpose: Purpose,
}

/// What a part of a record belongs to.
pub struct PartOf {
    /// Without it the part may not be seen.
    pub group: ItemGroup,
    /// Of these it shows what may be seen.
    pub beside: &'static [ItemGroup],
}

impl From<ItemGroup> for PartOf {
    fn from(group: ItemGroup) -> Self {
        Self { group, beside: &[] }
    }
}

/// What a search found, on its way out.
pub struct FoundBySearch {
    pub purpose: Purpose,
    /// What the caller may see of each, decided when it was found.
    pub hits: Vec<(Grant, Sealed<Hit>)>,
    /// The criteria, sealed.
    pub note: Vec<u8>,
    /// Messages because of the search itself.
    pub inbox: Vec<InboxItem>,
    pub beside: Beside,
}

/// Entries and messages that are written with a disclosure, or not at all.
#[derive(Default)]
pub struct Beside {
    pub entries: Vec<Logged>,
    pub inbox: Vec<InboxItem>,
}

/// A list of records or notices on its way out: what was done, and who is on it.
pub struct Listing<T> {
    pub entry: Entry,
    /// What was asked for in words, sealed: the entry of the whole commits to it.
    pub note: Option<Vec<u8>>,
    /// One entry for each that is on the list, and the item group of what its line tells.
    pub each: Vec<(Entry, ItemGroup)>,
    pub basis: LegalBasis,
    pub lines: Sealed<T>,
}

/// What decides and accounts for every disclosure of a node.
#[derive(Clone)]
pub struct Gate {
    journal: Journal,
    store: Store,
    vault: Arc<Vault>,
    registry: Arc<Registry>,
    clock: Clock,
}

impl Gate {
    pub fn new(journal: Journal, store: Store, vault: Arc<Vault>, registry: Arc<Registry>, clock: Clock) -> Self {
        Self { journal, store, vault, registry, clock }
    }

    /// Shows a record, or a version of it, as far as the caller may see it and asks for it.
    ///
    /// # Errors
    /// [`Error::NotAvailable`], whether it is hidden or does not exist.
    pub async fn view(
        &self,
        caller: &Caller,
        asked: AccessRequest,
        (version, extent): (Option<i64>, Extent),
    ) -> Result<Disclosed<RecordView>, Error> {
        self.check_purpose(caller, asked).await?;
        let reader = self.reader(caller, asked.record, version);
        let read = reads::record(&self.store, asked.record, &reader).await?;
        // What an earlier owner did not hand over is in its versions: they are not the present owner's to read.
        let read = read.filter(|read| version.is_none_or(|v| read.stored.facts.has_own_version(v)));
        let decided = read.and_then(|read| Some((self.decide(caller, asked, &read)?, read)));
        let Some((grant, ReadRecord { stored, versions, attachments, .. })) = decided else {
            return Err(self.refuse(caller, asked).await);
        };
        let may_see = grant.groups;
        let groups = extent.of(may_see, &stored.facts.shield);
        let grant = Grant { version: version.unwrap_or(grant.version), groups, ..grant };
        let document = Sealed::new(versions.open(&self.vault, &stored, grant.version)?);
        let present = GroupSet::of(document.peek().sections().map(|(group, _)| group)).with(ItemGroup::Attachments);
        let receipt = self.account(caller, asked, &stored.facts, &grant, present).await?;
        let attachments = if grant.groups.contains(ItemGroup::Attachments) { attachments } else { Vec::new() };
        let attachments = attachments.into_iter().filter(|line| grant.covers_time(line.at)).collect();
        let view = self.record_view((document.open(), attachments), stored.facts, &grant, may_see);
        Ok(Disclosed::new(view, receipt))
    }

    fn record_view(
        &self,
        (document, attachments): (Document, Vec<AttachmentLine>),
        facts: RecordFacts,
        grant: &Grant,
        may_see: GroupSet,
    ) -> RecordView {
        let age = IndexItems::of(&document).map_or(0, |items| items.birth_date.age_on(self.clock.today_in_japan()));
        let mut sections: Vec<(ItemGroup, Element)> = document.into_sections();
        let items = SECTIONS
            .iter()
            .filter_map(|section| {
                let group = section.group;
                if !grant.groups.contains(group) {
                    let item = if may_see.contains(group) { Item::NotAsked } else { Item::Withheld };
                    return Some((group, item));
                }
                let position = sections.iter().position(|(of, _)| *of == group)?;
                Some((group, Item::Shown(sections.swap_remove(position).1)))
            })
            .collect();
        let is_present = grant.relation != Relation::FormerOwner;
        let knows_shield = matches!(grant.relation, Relation::Owner | Relation::Counterpart);
        RecordView {
            record: facts.id,
            version: grant.version,
            owner: (!grant.hides_owner).then_some(facts.owner),
            relation: grant.relation,
            closed: is_present.then_some(facts.closed),
            serious: is_present.then_some(facts.serious),
            shielded: knows_shield.then_some(facts.derived.shield.active),
            age,
            items,
            attachments,
            withholds_attachments: !may_see.contains(ItemGroup::Attachments),
        }
    }

    /// Discloses something that belongs to an item group of a record: its history, an attachment, a review note.
    /// `read` is called once it is decided that the caller may see the record; what it does not find, or leaves out,
    /// may not be seen.
    ///
    /// # Errors
    /// [`Error::NotAvailable`], whether it is hidden or does not exist.
    pub async fn part<T, R>(
        &self,
        caller: &Caller,
        asked: AccessRequest,
        part: impl Into<PartOf>,
        read: R,
    ) -> Result<Disclosed<T>, Error>
    where
        R: for<'t> FnOnce(
            &'t mut Tx,
            &'t StoredRecord,
            &'t Grant,
        ) -> BoxFuture<'t, Result<Option<Sealed<T>>, StoreError>>,
    {
        let PartOf { group, beside } = part.into();
        self.check_purpose(caller, asked).await?;
        let mut tx = self.store.read().await?;
        let found = reads::facts(&mut tx, asked.record, &self.reader(caller, asked.record, None)).await?;
        let decided = found.and_then(|found| Some((self.decide(caller, asked, &found)?, found.stored)));
        let Some((grant, stored)) = decided else {
            drop(tx);
            return Err(self.refuse(caller, asked).await);
        };
        let sealed = read(&mut tx, &stored, &grant).await?;
        drop(tx);
        // The owner finds the refusal among what was done about the record.
        let Some(sealed) = sealed.filter(|_| grant.groups.contains(group)) else {
            let error = Error::NotAvailable;
            let refused = self.log(caller, asked, &stored.facts, &grant, |entry| entry.refused(error.code()))?;
            self.journal.record(caller.decided_at(), vec![refused], Vec::new()).await?;
            return Err(error);
        };
        let present = GroupSet::of(beside.iter().copied().chain([group]));
        let receipt = self.account(caller, asked, &stored.facts, &grant, present).await?;
        Ok(Disclosed::new(sealed.open(), receipt))
    }

    /// A refusal is in the ledger before the caller learns of it. A record that is hidden and one that does not exist
    /// look the same.
    async fn refuse(&self, caller: &Caller, asked: AccessRequest) -> Error {
        self.refuse_as(caller, asked, Error::NotAvailable).await
    }

    /// A purpose that a body of this kind never has is refused before anything is looked up.
    async fn check_purpose(&self, caller: &Caller, asked: AccessRequest) -> Result<(), Error> {
        if kind_may_look_for(asked.purpose, caller.kind()) || Planted::AnyPurpose.is_planted() {
            return Ok(());
        }
        Err(self.refuse_as(caller, asked, CallerError::Purpose.into()).await)
    }

    async fn refuse_as(&self, caller: &Caller, asked: AccessRequest, error: Error) -> Error {
        let entry = Entry::of(caller, asked.act, &self.clock)
            .about(asked.record)
            .for_purpose(asked.purpose)
            .refused(error.code());
        match self.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await {
            Ok(_) => error,
            Err(unwritten) => unwritten,
        }
    }

    /// What the store needs to know of the caller to read what it may see, and no more.
    fn reader(&self, caller: &Caller, record: Uuid, version: Option<i64>) -> Reader {
        let day = self.clock.today_in_japan();
        let memory = self.journal.memory();
        let facts = memory.index.facts_of(record);
        let is_party = facts.as_ref().is_some_and(|facts| {
            let relation = relation(facts, &Standing::default(), caller.organization(), &self.registry, day);
            matches!(relation, Relation::Owner | Relation::Counterpart | Relation::Reviewer)
        });
        let prefecture = facts.map(|facts| facts.owner.prefecture().to_owned());
        Reader { organization: caller.organization().clone(), prefecture, is_party, version, now: self.clock.now() }
    }

    /// A purpose that the caller cannot have towards this record looks like a record that is not there.
    fn decide(&self, caller: &Caller, asked: AccessRequest, read: &ReadRecord) -> Option<Grant> {
        self.decide_on(caller, asked.operation, &read.stored.facts, &read.standing).filter(|grant| {
            may_look_for(asked.purpose, caller.kind(), Some(grant.relation)) || Planted::AnyPurpose.is_planted()
        })
    }

    fn decide_on(
        &self,
        caller: &Caller,
        operation: Operation,
        facts: &RecordFacts,
        standing: &Standing,
    ) -> Option<Grant> {
        let day = self.clock.today_in_japan();
        let relation = relation(facts, standing, caller.organization(), &self.registry, day);
        let provided = match relation {
            Relation::Receiver | Relation::ReceiverPreview => standing.offered.as_ref().map(|o| &o.provided),
            Relation::FormerOwner => standing.provided.as_ref(),
            Relation::Owner
            | Relation::Counterpart
            | Relation::Reviewer
            | Relation::BreakGlass
            | Relation::Outsider
            | Relation::Nobody => None,
        };
        let groups = visible_groups(
            operation,
            &Situation {
                relation,
                reader: caller.organization(),
                reads_reporter: caller.has_role(Role::Caseworker) || caller.has_role(Role::Supervisor),
                shield: &facts.shield,
                settings: &self.journal.memory().directory.settings_of(&facts.owner),
                provided: provided.map(|provided| provided.groups),
            },
        );
        if groups.is_empty() {
            return None;
        }
        Some(Grant {
            relation,
            groups,
            version: provided.map_or(facts.version, |provided| provided.version),
            basis: relation.legal_basis(facts.abuse_case),
            provided_at: provided.map(|provided| provided.at),
            hides_owner: hides_owner(relation, facts, caller.organization()),
        })
    }

    async fn account(
        &self,
        caller: &Caller,
        asked: AccessRequest,
        facts: &RecordFacts,
        grant: &Grant,
        present: GroupSet,
    ) -> Result<Receipt, Error> {
        let groups = grant.groups.intersection(present);
        let logged = self.log(caller, asked, facts, grant, |entry| entry.disclosing(groups, grant.basis))?;
        let inbox = match grant.relation {
            Relation::Owner | Relation::Counterpart => Vec::new(),
            Relation::ReceiverPreview
            | Relation::Receiver
            | Relation::FormerOwner
            | Relation::Reviewer
            | Relation::BreakGlass
            | Relation::Outsider
            | Relation::Nobody => vec![
                InboxItem::new(facts.owner.clone(), InboxKind::RecordViewed)
                    .record(facts.id)
                    .from(caller)
                    .because_of(&logged.entry),
            ],
        };
        self.journal.record(caller.decided_at(), vec![logged], inbox).await
    }

    fn log(
        &self,
        caller: &Caller,
        asked: AccessRequest,
        facts: &RecordFacts,
        grant: &Grant,
        finish: impl FnOnce(Entry) -> Entry,
    ) -> Result<Logged, KeyError> {
        let entry = Entry::of(caller, asked.act, &self.clock).as_relation(grant.relation).for_purpose(asked.purpose);
        let record = RecordRef { record: facts.id, version: grant.version, owner: facts.owner.clone() };
        logged(finish(entry), &record, grant.hides_owner)
    }

    /// An entry of a caller about a record that it found by search, which does not tell the caller the owner where
    /// search did not.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn log_found(&self, entry: Entry, caller: &Caller, facts: &RecordFacts) -> Result<Logged, KeyError> {
        let day = self.clock.today_in_japan();
        let relation = relation(facts, &Standing::default(), caller.organization(), &self.registry, day);
        let record = RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() };
        logged(entry.as_relation(relation), &record, hides_owner(relation, facts, caller.organization()))
    }

    /// Whether a record may appear in a caller's national search, and what of it. Asked of every match before it is
    /// counted.
    pub fn findable(&self, caller: &Caller, facts: &RecordFacts) -> Findable<Grant> {
        match self.decide_on(caller, Operation::Search, facts, &Standing::default()) {
            // Cases other than abuse are found by others only where the owner's ordinance says so.
            Some(grant) if facts.searchable || matches!(grant.relation, Relation::Owner | Relation::Counterpart) => {
                Findable::Shown(grant)
            }
            _ => Findable::Absent,
        }
    }

    /// Discloses the hits of a search: one entry for the search, one for each child shown. Owners of what was shown
    /// or approached are told in the same transaction. The number of entries depends on the visible hits alone.
    ///
    /// # Errors
    /// The journal could not write the entries, or the decision is out of date.
    pub async fn children(&self, caller: &Caller, found: FoundBySearch) -> Result<Disclosed<FoundChildren>, Error> {
        let FoundBySearch { purpose, hits, note, mut inbox, beside } = found;
        let search = Entry::of(caller, Act::Search, &self.clock).for_purpose(purpose).with_note(&note);
        let search = if hits.is_empty() { search.no_hit() } else { search };
        inbox.iter_mut().for_each(|item| {
            item.entry = Some(search.id);
            item.purpose = Some(purpose);
        });
        let mut entries = vec![Logged::noted(search, note)];
        for (grant, hit) in &hits {
            let facts = &hit.peek().facts;
            let asked = AccessRequest { record: facts.id, act: Act::SearchHit, operation: Operation::Search, purpose };
            let logged = self.log(caller, asked, facts, grant, |entry| entry.disclosing(grant.groups, grant.basis))?;
            if grant.relation == Relation::Outsider {
                let kind = if facts.shield.active { InboxKind::ShieldApproached } else { InboxKind::RecordFound };
                inbox.push(
                    InboxItem::new(facts.owner.clone(), kind).record(facts.id).from(caller).because_of(&logged.entry),
                );
            }
            entries.push(logged);
        }
        entries.extend(beside.entries);
        inbox.extend(beside.inbox);
        let receipt = self.journal.record(caller.decided_at(), entries, inbox).await?;
        let found = hits.into_iter().map(|(grant, hit)| self.found_child(&grant, hit.open()));
        let (near_misses, children) = found.partition(|child| child.rank == Rank::NearMiss);
        Ok(Disclosed::new(FoundChildren { children, near_misses }, receipt))
    }

    fn found_child(&self, grant: &Grant, hit: Hit) -> FoundChild {
        let Hit { facts, child, guardians, sex, birth_date, rank, matched } = hit;
        let contact = if grant.hides_owner {
            Contact::Relay { desk: "中継窓口 / relay desk" }
        } else {
            let desk = self.journal.memory().directory.organization(&facts.owner).map(|o| o.relay_desk);
            Contact::Owner {
                name: self.registry.name(&facts.owner),
                organization: facts.owner,
                desk: desk.unwrap_or_default(),
            }
        };
        FoundChild {
            record: facts.id,
            name: child,
            sex: sex.to_string(),
            birth_date: birth_date.to_iso(),
            guardians,
            contact,
            may_open: matches!(grant.relation, Relation::Owner | Relation::Counterpart),
            rank,
            matched: matched.into_iter().map(|(role, form)| Matched { person: role.as_str(), form }).collect(),
        }
    }

    /// Discloses what is not a record but tells of a child: a notice, a transfer's note, an inquiry. The operation
    /// has decided that the caller is a party to it; the entry says so.
    ///
    /// # Errors
    /// As [`Self::children`].
    pub async fn whole<T>(
        &self,
        caller: &Caller,
        entry: Entry,
        basis: LegalBasis,
        sealed: Sealed<T>,
    ) -> Result<Disclosed<T>, Error> {
        let entry = entry.disclosing(GroupSet::of([ItemGroup::Index]), basis);
        let receipt = self.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await?;
        Ok(Disclosed::new(sealed.open(), receipt))
    }

    /// Discloses what an officer of the body wrote and has not sent yet. Nobody has looked into it: it may hold any item.
    ///
    /// # Errors
    /// As [`Self::children`].
    pub async fn draft<T>(&self, caller: &Caller, entry: Entry, sealed: Sealed<T>) -> Result<Disclosed<T>, Error> {
        let entry = entry.disclosing(GroupSet::of(ItemGroup::ALL.iter().copied()), LegalBasis::OwnRecord);
        let receipt = self.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await?;
        Ok(Disclosed::new(sealed.open(), receipt))
    }

    /// Discloses a list: what was done, and an entry for each record or notice on it.
    ///
    /// # Errors
    /// As [`Self::children`].
    pub async fn list<T>(&self, caller: &Caller, listing: Listing<T>) -> Result<Disclosed<T>, Error> {
        let Listing { entry, note, each, basis, lines } = listing;
        let entry = if each.is_empty() { entry.no_hit() } else { entry };
        let whole = match note {
            Some(note) => Logged::noted(entry.with_note(&note), note),
            None => entry.into(),
        };
        let each = each.into_iter().map(|(entry, group)| entry.disclosing(GroupSet::of([group]), basis).into());
        let entries = std::iter::once(whole).chain(each).collect();
        let receipt = self.journal.record(caller.decided_at(), entries, Vec::new()).await?;
        Ok(Disclosed::new(lines.open(), receipt))
    }
}

/// The owner's name is itself a location: of a shielded record it is kept from outsiders, former owners and those who
/// broke the glass, unless the owner named them.
fn hides_owner(relation: Relation, facts: &RecordFacts, reader: &OrganizationCode) -> bool {
    let far = matches!(relation, Relation::Outsider | Relation::BreakGlass | Relation::FormerOwner);
    far && facts.shield.active && !facts.shield.named.contains(reader)
}

fn logged(entry: Entry, record: &RecordRef, hides_owner: bool) -> Result<Logged, KeyError> {
    Ok(if hides_owner {
        Logged::hiding(entry.on_hidden(record).map_err(|_| KeyError::Random)?)
    } else {
        entry.on(record).into()
    })
}
