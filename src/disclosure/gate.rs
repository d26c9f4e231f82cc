//! The one door: decide → reduce to the granted groups → append to the ledger → commit → disclose.

use crate::keys::error::KeyError;
use std::sync::Arc;

use uuid::Uuid;

use super::sealed::Sealed;
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        case_record::{IndexItems, NameForm, RecordFacts, Standing},
        format::{Document, Element},
        organization::OrganizationCode,
        registry::Registry,
        relation::relation,
        visibility::{
            GroupSet, ItemGroup, LegalBasis, Operation, Relation, Situation, VisibilitySettings, visible_groups,
        },
    },
    error::Error,
    identity::{Caller, Role},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Journal,
        writer::Receipt,
    },
    ledger::entry::{Act, Entry, Logged, Purpose, RecordRef},
    search::{
        index::{Findable, Hit},
        pattern::Rank,
    },
    store::{
        attachments::{Attachment, AttachmentLine},
        error::StoreError,
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

    pub fn value(&self) -> &T {
        &self.value
    }

    /// Ids of the ledger entries that account for it.
    pub fn entries(&self) -> &[Uuid] {
        self.receipt.entries()
    }
}

/// A decision that a record may be shown: to which relation, which groups, which version. Made here alone.
pub struct Grant {
    facts: RecordFacts,
    relation: Relation,
    groups: GroupSet,
    version: i64,
    basis: LegalBasis,
    /// For a receiver or former owner: what came later was not provided.
    provided_at: Option<Timestamp>,
    decided_at: u64,
}

impl Grant {
    /// Asks for an older version.
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// The version to read: what was provided for a receiver or former owner, else the current one.
    pub fn version(&self) -> i64 {
        self.version
    }

    pub fn relation(&self) -> Relation {
        self.relation
    }

    /// Whether something added at a moment is covered: a receiver or former owner sees what was provided then.
    pub fn covers_time(&self, at: Timestamp) -> bool {
        self.provided_at.is_none_or(|provided_at| at <= provided_at)
    }

    pub fn covers(&self, group: ItemGroup) -> bool {
        self.groups.contains(group)
    }

    /// The owner's name is itself a location: of a shielded record it goes to those with a part in it alone.
    fn hides_owner(&self, reader: &OrganizationCode) -> bool {
        hides_owner(self.relation, &self.facts, reader)
    }
}

/// One item group in a view.
pub enum Item {
    Shown(Element),
    Withheld,
}

/// A record as one reader may see it.
pub struct RecordView {
    pub record: Uuid,
    pub version: i64,
    /// `None` where the owner's name would be a location.
    pub owner: Option<OrganizationCode>,
    pub relation: Relation,
    /// The present state; `None` for a former owner, who sees what it provided as it was.
    pub closed: Option<bool>,
    pub serious: Option<bool>,
    /// Whole years on the day of the disclosure.
    pub age: i32,
    pub items: Vec<(ItemGroup, Item)>,
    pub attachments: Vec<AttachmentLine>,
}

/// Whom to call about a child.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Contact {
    /// The body that owns the record.
    Owner { organization: OrganizationCode, name: String, desk: String },
    /// A shielded record: ask through the gateway (`POST /v1/records/{id}/inquiries`).
    Relay { desk: &'static str },
}

/// One child found by a search: the four items, and whom to call.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct FoundChild {
    pub record: Uuid,
    pub name: String,
    /// Code of the list `SexCode`.
    pub sex: String,
    /// `2018-04-01`, or its known part.
    pub birth_date: String,
    pub guardians: Vec<String>,
    pub contact: Contact,
    pub rank: Rank,
    /// Whose name matched, in which written form.
    pub matched: Vec<Matched>,
}

/// The children that a search shows, best first.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct FoundChildren {
    pub children: Vec<FoundChild>,
    /// Weaker hits, apart from the others: one kana of the name is wrong, missing or too many.
    pub near_misses: Vec<FoundChild>,
}

impl FoundChildren {
    pub fn is_empty(&self) -> bool {
        self.children.is_empty() && self.near_misses.is_empty()
    }
}

#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct Matched {
    pub person: &'static str,
    pub form: NameForm,
}

/// What decides and accounts for every disclosure of a node.
#[derive(Clone)]
pub struct Gate {
    journal: Journal,
    registry: Arc<Registry>,
    clock: Clock,
}

/// Entries and messages that are written with a disclosure, or not at all.
#[derive(Default)]
pub struct Beside {
    pub entries: Vec<Logged>,
    pub inbox: Vec<InboxItem>,
}

impl Gate {
    pub fn new(journal: Journal, registry: Arc<Registry>, clock: Clock) -> Self {
        Self { journal, registry, clock }
    }

    /// Decides whether a caller may see a record, and what of it. A refusal is in the ledger before it is told.
    ///
    /// # Errors
    /// [`Error::NotAvailable`], whether the record is hidden or does not exist.
    pub async fn authorize(
        &self,
        caller: &Caller,
        act: Act,
        purpose: Purpose,
        operation: Operation,
        requested: Uuid,
        known: Option<(RecordFacts, Standing)>,
        decided_at: u64,
    ) -> Result<Grant, Error> {
        let grant = known.and_then(|(facts, standing)| self.decide(caller, operation, facts, &standing, decided_at));
        match grant {
            Some(grant) => Ok(grant),
            None => {
                let entry = Entry::of(caller, act, &self.clock)
                    .about(requested)
                    .for_purpose(purpose)
                    .refused("record_not_available");
                self.journal.record(decided_at, vec![entry.into()], Vec::new()).await?;
                Err(Error::NotAvailable)
            }
        }
    }

    fn decide(
        &self,
        caller: &Caller,
        operation: Operation,
        facts: RecordFacts,
        standing: &Standing,
        decided_at: u64,
    ) -> Option<Grant> {
        let day = self.clock.today_in_japan();
        let relation = relation(&facts, standing, caller.organization(), &self.registry, day);
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
        let settings = self.settings_of(&facts.owner);
        let groups = visible_groups(
            operation,
            &Situation {
                relation,
                reader: caller.organization(),
                reads_reporter: caller.has_role(Role::Caseworker) || caller.has_role(Role::Supervisor),
                shield: &facts.shield,
                settings: &settings,
                provided: provided.map(|provided| provided.groups),
            },
        );
        if groups.is_empty() {
            return None;
        }
        let version = provided.map_or(facts.version, |provided| provided.version);
        let basis = relation.legal_basis(facts.abuse_case);
        let provided_at = provided.map(|provided| provided.at);
        Some(Grant { facts, relation, groups, version, basis, provided_at, decided_at })
    }

    fn settings_of(&self, owner: &OrganizationCode) -> VisibilitySettings {
        self.journal.memory().directory.settings_of(owner)
    }

    /// Discloses a record's document as far as the grant goes.
    ///
    /// # Errors
    /// The journal could not write the entry, or the decision is out of date.
    pub async fn disclose_record(
        &self,
        caller: &Caller,
        act: Act,
        purpose: Purpose,
        grant: Grant,
        sealed: Sealed<Document>,
        attachments: Sealed<Vec<AttachmentLine>>,
    ) -> Result<Disclosed<RecordView>, Error> {
        let present = GroupSet::of(sealed.peek().sections().map(|(group, _)| group)).with(ItemGroup::Attachments);
        let receipt = self.account(caller, act, purpose, &grant, grant.groups.intersection(present)).await?;
        let document = sealed.open();
        let hides_owner = grant.hides_owner(caller.organization());
        let attachments = if grant.covers(ItemGroup::Attachments) { attachments.open() } else { Vec::new() };
        let attachments = attachments.into_iter().filter(|line| grant.covers_time(line.at)).collect();
        let age = IndexItems::of(&document).map_or(0, |items| items.birth_date.age_on(self.clock.today_in_japan()));
        let Grant { facts, relation, groups, version, .. } = grant;
        let mut sections: Vec<(ItemGroup, Element)> = document.into_sections();
        let items = crate::domain::format::sections::SECTIONS
            .iter()
            .filter_map(|section| {
                let group = section.group;
                if !groups.contains(group) {
                    return Some((group, Item::Withheld));
                }
                let position = sections.iter().position(|(of, _)| *of == group)?;
                Some((group, Item::Shown(sections.swap_remove(position).1)))
            })
            .collect();
        let view = RecordView {
            record: facts.id,
            version,
            owner: (!hides_owner).then_some(facts.owner),
            relation,
            closed: (relation != Relation::FormerOwner).then_some(facts.closed),
            serious: (relation != Relation::FormerOwner).then_some(facts.serious),
            age,
            items,
            attachments,
        };
        Ok(Disclosed::new(view, receipt))
    }

    /// Discloses something that belongs to one item group of a record: an attachment, a review note.
    ///
    /// # Errors
    /// [`Error::NotAvailable`] where the grant does not cover the group; else as [`Self::disclose_record`].
    pub async fn disclose_part<T>(
        &self,
        caller: &Caller,
        act: Act,
        purpose: Purpose,
        grant: Grant,
        group: ItemGroup,
        sealed: Sealed<T>,
    ) -> Result<Disclosed<T>, Error> {
        if !grant.covers(group) {
            let logged = self.log(caller, act, purpose, &grant, |entry| entry.refused("record_not_available"))?;
            self.journal.record(grant.decided_at, vec![logged], Vec::new()).await?;
            return Err(Error::NotAvailable);
        }
        let receipt = self.account(caller, act, purpose, &grant, GroupSet::of([group])).await?;
        Ok(Disclosed::new(sealed.open(), receipt))
    }

    /// Discloses an attachment, if it was there when the record was provided.
    ///
    /// # Errors
    /// As [`Self::disclose_part`].
    pub async fn disclose_attachment(
        &self,
        caller: &Caller,
        purpose: Purpose,
        mut grant: Grant,
        sealed: Sealed<Attachment>,
    ) -> Result<Disclosed<Attachment>, Error> {
        if !grant.covers_time(sealed.peek().at) {
            grant.groups = grant.groups.without(GroupSet::of([ItemGroup::Attachments]));
        }
        self.disclose_part(caller, Act::ViewAttachment, purpose, grant, ItemGroup::Attachments, sealed).await
    }

    async fn account(
        &self,
        caller: &Caller,
        act: Act,
        purpose: Purpose,
        grant: &Grant,
        groups: GroupSet,
    ) -> Result<Receipt, Error> {
        let logged = self.log(caller, act, purpose, grant, |entry| entry.disclosing(groups, grant.basis))?;
        let inbox = match grant.relation {
            Relation::Owner | Relation::Counterpart => Vec::new(),
            Relation::ReceiverPreview
            | Relation::Receiver
            | Relation::FormerOwner
            | Relation::Reviewer
            | Relation::BreakGlass
            | Relation::Outsider
            | Relation::Nobody => vec![
                InboxItem::new(grant.facts.owner.clone(), InboxKind::RecordViewed)
                    .record(grant.facts.id)
                    .from(caller)
                    .because_of(&logged.entry),
            ],
        };
        self.journal.record(grant.decided_at, vec![logged], inbox).await
    }

    fn log(
        &self,
        caller: &Caller,
        act: Act,
        purpose: Purpose,
        grant: &Grant,
        finish: impl FnOnce(Entry) -> Entry,
    ) -> Result<Logged, StoreError> {
        let entry = finish(Entry::of(caller, act, &self.clock).as_relation(grant.relation).for_purpose(purpose));
        let facts = &grant.facts;
        let record = RecordRef { record: facts.id, version: grant.version, owner: facts.owner.clone() };
        logged(entry, &record, grant.hides_owner(caller.organization()))
    }

    /// An entry of a caller about a record that it found by search, which does not tell the caller the owner where
    /// search did not.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn log_found(&self, entry: Entry, caller: &Caller, facts: &RecordFacts) -> Result<Logged, StoreError> {
        let day = self.clock.today_in_japan();
        let relation = relation(facts, &Standing::default(), caller.organization(), &self.registry, day);
        let record = RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() };
        logged(entry.as_relation(relation), &record, hides_owner(relation, facts, caller.organization()))
    }

    /// Whether a record may appear in a caller's national search. Asked of every match before it is counted.
    pub fn findable(&self, caller: &Caller, facts: &RecordFacts) -> Findable {
        let own = self.decide(caller, Operation::Search, facts.clone(), &Standing::default(), 0);
        match own {
            // Cases other than abuse are found by others only where the owner's ordinance says so.
            Some(grant) if facts.searchable || matches!(grant.relation, Relation::Owner | Relation::Counterpart) => {
                Findable::Shown
            }
            _ => Findable::Absent,
        }
    }

    /// Discloses the hits of a search: one entry for the search, one for each child shown. Owners of what was shown
    /// or approached are told in the same transaction. The number of entries depends on the visible hits alone.
    ///
    /// # Errors
    /// As [`Self::disclose_record`].
    pub async fn disclose_hits(
        &self,
        caller: &Caller,
        purpose: Purpose,
        decided_at: u64,
        hits: Vec<Sealed<Hit>>,
        note: Vec<u8>,
        mut inbox: Vec<InboxItem>,
        beside: Beside,
    ) -> Result<Disclosed<FoundChildren>, Error> {
        let search = Entry::of(caller, Act::Search, &self.clock).for_purpose(purpose).with_note(&note);
        let search = if hits.is_empty() { search.no_hit() } else { search };
        inbox.iter_mut().for_each(|item| {
            item.entry = Some(search.id);
            item.purpose = Some(purpose);
        });
        let mut entries = vec![Logged::noted(search, note)];
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            let facts = &hit.peek().facts;
            let Some(grant) = self.decide(caller, Operation::Search, facts.clone(), &Standing::default(), decided_at)
            else {
                continue;
            };
            let logged =
                self.log(caller, Act::SearchHit, purpose, &grant, |entry| entry.disclosing(grant.groups, grant.basis))?;
            if grant.relation == Relation::Outsider {
                let kind = if facts.shield.active { InboxKind::ShieldApproached } else { InboxKind::RecordFound };
                inbox.push(
                    InboxItem::new(facts.owner.clone(), kind).record(facts.id).from(caller).because_of(&logged.entry),
                );
            }
            entries.push(logged);
            found.push((grant, hit));
        }
        entries.extend(beside.entries);
        inbox.extend(beside.inbox);
        let receipt = self.journal.record(decided_at, entries, inbox).await?;
        let found = found.into_iter().map(|(grant, hit)| self.found_child(caller, &grant, hit.open()));
        let (near_misses, children) = found.partition(|child| child.rank == Rank::NearMiss);
        Ok(Disclosed::new(FoundChildren { children, near_misses }, receipt))
    }

    fn found_child(&self, caller: &Caller, grant: &Grant, hit: Hit) -> FoundChild {
        let Hit { facts, child, guardians, sex, birth_date, rank, matched } = hit;
        let contact = if grant.hides_owner(caller.organization()) {
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
            rank,
            matched: matched.into_iter().map(|(role, form)| Matched { person: role.as_str(), form }).collect(),
        }
    }

    /// Discloses what is not a record but tells of a child: a notice, a transfer's note, an inquiry. The operation
    /// has decided that the caller is a party to it; the entry says so.
    ///
    /// # Errors
    /// As [`Self::disclose_record`].
    pub async fn disclose_whole<T>(
        &self,
        entry: Entry,
        basis: LegalBasis,
        decided_at: u64,
        sealed: Sealed<T>,
    ) -> Result<Disclosed<T>, Error> {
        let entry = entry.disclosing(GroupSet::of([ItemGroup::Index]), basis);
        let receipt = self.journal.record(decided_at, vec![entry.into()], Vec::new()).await?;
        Ok(Disclosed::new(sealed.open(), receipt))
    }

    /// Discloses a list: what was done, and an entry for each record or notice on it.
    ///
    /// # Errors
    /// As [`Self::disclose_record`].
    pub async fn disclose_list<T>(
        &self,
        listing: Entry,
        each: Vec<Entry>,
        basis: LegalBasis,
        decided_at: u64,
        sealed: Sealed<T>,
    ) -> Result<Disclosed<T>, Error> {
        self.disclose_list_of(ItemGroup::Index, listing, each, basis, decided_at, sealed).await
    }

    /// Discloses a list of what stands in one item group.
    ///
    /// # Errors
    /// As [`Self::disclose_record`].
    pub async fn disclose_list_of<T>(
        &self,
        group: ItemGroup,
        listing: Entry,
        each: Vec<Entry>,
        basis: LegalBasis,
        decided_at: u64,
        sealed: Sealed<T>,
    ) -> Result<Disclosed<T>, Error> {
        let listing = if each.is_empty() { listing.no_hit() } else { listing };
        let groups = GroupSet::of([group]);
        let each = each.into_iter().map(|entry| entry.disclosing(groups, basis));
        let entries = std::iter::once(listing).chain(each).map(Logged::from).collect();
        let receipt = self.journal.record(decided_at, entries, Vec::new()).await?;
        Ok(Disclosed::new(sealed.open(), receipt))
    }
}

/// The owner's name is itself a location: of a shielded record it is kept from outsiders, former owners and those who
/// broke the glass, unless the owner named them.
fn hides_owner(relation: Relation, facts: &RecordFacts, reader: &OrganizationCode) -> bool {
    let far = matches!(relation, Relation::Outsider | Relation::BreakGlass | Relation::FormerOwner);
    far && facts.shield.active && !facts.shield.named.contains(reader)
}

fn logged(entry: Entry, record: &RecordRef, hides_owner: bool) -> Result<Logged, StoreError> {
    Ok(if hides_owner {
        Logged::hiding(entry.on_hidden(record).map_err(|_| KeyError::Random)?)
    } else {
        entry.on(record).into()
    })
}
