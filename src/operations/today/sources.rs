//! Where the list of what there is to do comes from: one function for each state that may wait for somebody. Each lists
//! what the caller's roles may do, and nothing else.

use super::line::{TodayKind, TodayLine};
use crate::{
    clock::Timestamp,
    domain::{
        organization::{OrganizationCode, OrganizationKind},
        transfer::{Side, Stage, Transfer},
    },
    gateway::Gateway,
    identity::{Caller, Role},
    journal::inbox::InboxKind,
    operations::{inbox::read_inbox::may_read, oversight::break_glass::OPEN_FOR, waiting::awaited::awaited_by},
    store::{self, error::StoreError, tx::Tx},
};

/// Lines of one kind at most: nobody works through more of them, and a flood of one hides no other.
const MOST: i64 = 100;

const READS: &[Role] = &[Role::Viewer, Role::Caseworker, Role::Supervisor];
const WORKS: &[Role] = &[Role::Caseworker, Role::Supervisor];
const SUPERVISES: &[Role] = &[Role::Supervisor];
const REVIEWS: &[Role] = &[Role::Supervisor, Role::Auditor];

/// What was found up to now.
#[derive(Default)]
pub(super) struct FoundToday {
    pub(super) lines: Vec<TodayLine>,
    /// A kind has more than is listed.
    pub(super) more: bool,
    /// Rows that are not what the gateway wrote.
    pub(super) set_aside: usize,
}

/// For whom it is looked.
pub(super) struct LooksFor<'c> {
    pub(super) gateway: &'c Gateway,
    pub(super) caller: &'c Caller,
    pub(super) now: Timestamp,
}

impl LooksFor<'_> {
    pub(super) fn own(&self) -> &OrganizationCode {
        self.caller.organization()
    }

    /// Whether the caller may read the records of its own body.
    pub(super) fn reads_records(&self) -> bool {
        self.has_records() && self.caller.has_any_role(READS)
    }

    fn has_records(&self) -> bool {
        matches!(self.caller.kind(), OrganizationKind::Municipality | OrganizationKind::ChildGuidanceCenter)
    }

    fn may(&self, roles: &[Role]) -> bool {
        self.has_records() && self.caller.has_any_role(roles)
    }
}

impl FoundToday {
    fn add(&mut self, lines: Vec<TodayLine>, set_aside: usize) {
        self.more |= lines.len() as i64 >= MOST;
        self.lines.extend(lines);
        self.set_aside += set_aside;
    }

    /// Transfers in which the caller's body has to act.
    pub(super) async fn transfers(&mut self, tx: &mut Tx, of: &LooksFor<'_>) -> Result<(), StoreError> {
        if !of.may(WORKS) {
            return Ok(());
        }
        let live = store::transfers::live_of_party(tx, of.own(), MOST).await?;
        self.more |= live.transfers.len() as i64 >= MOST;
        self.lines.extend(live.transfers.iter().flat_map(|transfer| of_transfer(transfer, of)));
        self.set_aside += live.set_aside;
        Ok(())
    }

    /// Missing-child notices that the caller's center has not answered.
    pub(super) async fn notices(&mut self, tx: &mut Tx, of: &LooksFor<'_>) -> Result<(), StoreError> {
        if of.caller.kind() != OrganizationKind::ChildGuidanceCenter || !of.may(WORKS) {
            return Ok(());
        }
        let (notices, set_aside) = store::notices::unanswered(tx, of.own(), MOST).await?;
        let line = |notice: &crate::domain::missing_notice::Notice| TodayLine {
            exercise: notice.exercise,
            ..TodayLine::new(TodayKind::MissingNotice, notice.id, notice.issued_at).with(&notice.issuer)
        };
        self.add(notices.iter().map(line).collect(), set_aside);
        Ok(())
    }

    /// Questions about own records.
    pub(super) async fn inquiries(&mut self, tx: &mut Tx, of: &LooksFor<'_>) -> Result<(), StoreError> {
        if !of.may(SUPERVISES) {
            return Ok(());
        }
        let open = store::oversight::unanswered(tx, of.own(), MOST).await?;
        let line = |inquiry: &store::oversight::InquiryLine| {
            let line = TodayLine::new(TodayKind::Inquiry, inquiry.id, inquiry.at);
            line.about(inquiry.parties.record).with(&inquiry.parties.asker)
        };
        self.add(open.inquiries.iter().map(line).collect(), open.set_aside);
        Ok(())
    }

    /// Broken glasses that nobody has reviewed.
    pub(super) async fn glasses(&mut self, tx: &mut Tx, of: &LooksFor<'_>) -> Result<(), StoreError> {
        if !of.may(REVIEWS) {
            return Ok(());
        }
        let broken = store::oversight::unreviewed(tx, of.own(), MOST).await?;
        // Whose a record is memory says: a row that somebody edited may name anybody.
        let index = &of.gateway.journal.memory().index;
        let is_own = |glass: &&store::oversight::GlassLine| {
            index.facts_of(glass.record).is_some_and(|facts| facts.owner == *of.own())
        };
        let line = |glass: &store::oversight::GlassLine| {
            let line = TodayLine::new(TodayKind::BreakGlass, glass.id, glass.until.plus(-OPEN_FOR));
            line.about(glass.record).with(&glass.organization)
        };
        self.add(broken.glasses.iter().filter(is_own).map(line).collect(), broken.set_aside);
        Ok(())
    }

    /// Sharp acts that wait for this officer, or to which the caller's body may object.
    pub(super) async fn sharp_acts(&mut self, tx: &mut Tx, of: &LooksFor<'_>) -> Result<(), StoreError> {
        let (acts, set_aside) = awaited_by(tx, of.gateway, of.caller).await?;
        let line = |act: &crate::operations::waiting::awaited::AwaitedAct| {
            let kind = if act.is_of_others { TodayKind::Objection } else { TodayKind::SharpAct };
            let line = TodayLine::new(kind, act.id, act.asked_at).about(act.record).with(&act.asked_by);
            TodayLine { act: Some(act.kind), ..line.due(act.expires_at, of.now) }
        };
        self.add(acts.iter().map(line).collect(), set_aside);
        Ok(())
    }

    /// What the inbox alone knows of, after the position up to which the body has acknowledged: searches that came upon a
    /// shielded record, and alerts of the watch. The watch's are for those who review; of the body's own officers for its
    /// auditors alone.
    pub(super) async fn alerts(&mut self, tx: &mut Tx, of: &LooksFor<'_>, acknowledged: i64) -> Result<(), StoreError> {
        if !of.may(WORKS) && !of.may(REVIEWS) {
            return Ok(());
        }
        let alerts = store::inbox::alerts(tx, of.own(), acknowledged, MOST).await?;
        self.more |= alerts.len() as i64 >= MOST;
        for message in alerts.into_iter().filter(|message| may_read(of.caller, message)) {
            let is_shield = message.kind == InboxKind::ShieldApproached.as_str();
            if !is_shield && !of.may(REVIEWS) {
                continue;
            }
            let kind = if is_shield { TodayKind::ShieldApproached } else { TodayKind::SearchAlert };
            self.lines.push(TodayLine {
                since: message.at,
                record: message.record,
                other: message.from_organization.as_deref().and_then(OrganizationCode::parse),
                message: Some(message.kind),
                position: Some(message.position),
                ..TodayLine::new(kind, message.subject, of.now)
            });
        }
        Ok(())
    }
}

fn of_transfer(transfer: &Transfer, of: &LooksFor<'_>) -> Vec<TodayLine> {
    let Some(side) = transfer.side_of(of.own()) else { return Vec::new() };
    let is_open = of.now < transfer.expires_at;
    let (kind, other) = match (&transfer.stage, side) {
        (Stage::Offered(_), Side::Receiver) => (Some(TodayKind::TransferOffered), &transfer.owner),
        (Stage::Confirmed(_), Side::Receiver) => {
            (Some(TodayKind::TransferConfirmed).filter(|_| of.may(SUPERVISES)), &transfer.owner)
        }
        (Stage::Requested, Side::Owner) => (Some(TodayKind::TransferRequested), &transfer.receiver),
        (Stage::Offered(_), Side::Owner) => (Some(TodayKind::TransferUnconfirmed), &transfer.receiver),
        // Whoever has asked waits for an owner whose name may be a location.
        (_, Side::Receiver) => (None, &transfer.owner),
        (_, Side::Owner) => (None, &transfer.receiver),
    };
    let since = transfer.offered().map_or(transfer.opened_at, |offer| offer.offered_at);
    let line = |kind| TodayLine::new(kind, transfer.id, since).about(transfer.record).with(other);
    let step = kind.filter(|_| is_open).map(|kind| line(kind).due(transfer.expires_at, of.now));
    let check = transfer.offered().and_then(|offer| offer.safety.as_ref()).filter(|check| check.checked_at.is_none());
    let goes_on = is_open || matches!(transfer.stage, Stage::TakenOver(_));
    let safety = check
        .filter(|_| side == Side::Receiver && goes_on)
        .map(|check| line(TodayKind::SafetyCheck).due(check.due_at, of.now));
    step.into_iter().chain(safety).collect()
}

/// Messages that are counted at most.
const COUNTED: i64 = 500;

/// From which position messages are counted as new, and whether there are older ones that nobody has acknowledged.
pub(super) fn counted_from(acknowledged: i64, latest: i64) -> (i64, bool) {
    let from = acknowledged.max(latest - COUNTED);
    (from, from > acknowledged)
}
