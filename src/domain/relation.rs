//! What a reader is to a record, worked out at each access.

use time::Date;

use super::{
    case_record::{RecordFacts, Standing},
    organization::{OrganizationCode, OrganizationKind},
    registry::Registry,
    visibility::Relation,
};

/// The relation of `reader` to a record on a day. The strongest that holds.
pub fn relation(
    facts: &RecordFacts,
    standing: &Standing,
    reader: &OrganizationCode,
    registry: &Registry,
    day: Date,
) -> Relation {
    if facts.owner == *reader {
        return Relation::Owner;
    }
    match reader.kind() {
        OrganizationKind::Ministry if facts.serious => return Relation::Reviewer,
        OrganizationKind::Ministry | OrganizationKind::Prefecture | OrganizationKind::Operator => {
            return Relation::Nobody;
        }
        OrganizationKind::Municipality | OrganizationKind::ChildGuidanceCenter => {}
    }
    if is_counterpart(facts, reader, registry, day) {
        return Relation::Counterpart;
    }
    match standing {
        Standing { offered: Some(offered), .. } if offered.confirmed => Relation::Receiver,
        Standing { offered: Some(_), .. } => Relation::ReceiverPreview,
        Standing { break_glass: true, .. } => Relation::BreakGlass,
        Standing { provided: Some(_), .. } => Relation::FormerOwner,
        Standing { .. } => Relation::Outsider,
    }
}

/// A center for records of municipalities in its jurisdiction; a municipality for records of its center whose child
/// lives there (児童相談所 → 住所地の市町村).
fn is_counterpart(facts: &RecordFacts, reader: &OrganizationCode, registry: &Registry, day: Date) -> bool {
    match (facts.owner.kind(), reader.kind()) {
        (OrganizationKind::Municipality, OrganizationKind::ChildGuidanceCenter) => {
            registry.center_of(&facts.owner, day) == Some(reader)
        }
        (OrganizationKind::ChildGuidanceCenter, OrganizationKind::Municipality) => {
            facts.residence == *reader && registry.center_of(reader, day) == Some(&facts.owner)
        }
        _ => false,
    }
}

/// The body to tell when a record changes: the center for a municipality's record, the child's municipality for a
/// center's.
pub fn counterpart_of(facts: &RecordFacts, registry: &Registry, day: Date) -> Option<OrganizationCode> {
    match facts.owner.kind() {
        OrganizationKind::Municipality => registry.center_of(&facts.owner, day).cloned(),
        OrganizationKind::ChildGuidanceCenter => {
            (registry.center_of(&facts.residence, day) == Some(&facts.owner)).then(|| facts.residence.clone())
        }
        OrganizationKind::Prefecture | OrganizationKind::Ministry | OrganizationKind::Operator => None,
    }
}
