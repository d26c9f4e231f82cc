//! For what a caller looks (利用目的), and which purposes a caller can have.

use serde::{Deserialize, Serialize};

use super::{organization::OrganizationKind, visibility::Relation};

/// For what a caller looks (利用目的).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// A new report came in (通告受理).
    NewReport,
    /// Running casework.
    Casework,
    /// A family has moved or is about to (転出・転入).
    Transfer,
    /// A child is missing.
    MissingChild,
    /// Review of a serious case (死亡事例検証等).
    SeriousCaseReview,
    /// Audit and accounting.
    Audit,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Whether a body of a kind can look for a purpose, as what it is to a record; without a relation, at many at once.
///
/// A search is of no record yet. A serious case is the ministry's to review, and the reviewed bodies' to look into; a
/// transfer has two ends, and those who do not have the record yet see it by the transfer.
pub fn may_look_for(purpose: Purpose, kind: OrganizationKind, relation: Option<Relation>) -> bool {
    use OrganizationKind::{ChildGuidanceCenter, Ministry, Municipality};
    use Relation::{BreakGlass, Counterpart, FormerOwner, Owner, Receiver, ReceiverPreview, Reviewer};
    let works = matches!(kind, Municipality | ChildGuidanceCenter);
    match (purpose, relation) {
        (Purpose::SeriousCaseReview, relation) => kind == Ministry && matches!(relation, None | Some(Reviewer)),
        (_, Some(Reviewer)) => false,
        (Purpose::NewReport | Purpose::Casework | Purpose::MissingChild, _) => works,
        (Purpose::Transfer, None) => works,
        (Purpose::Transfer, Some(relation)) => {
            works && matches!(relation, Owner | Counterpart | Receiver | ReceiverPreview | FormerOwner | BreakGlass)
        }
        // Who audits looks at what their own body wrote or was given, and at nobody else's.
        (Purpose::Audit, relation) => {
            works && matches!(relation, Some(Owner | FormerOwner | Receiver | ReceiverPreview))
        }
    }
}

/// Whether a body of a kind can look for a purpose at all.
pub fn kind_may_look_for(purpose: Purpose, kind: OrganizationKind) -> bool {
    may_look_for(purpose, kind, None)
        || Relation::ALL.iter().any(|relation| may_look_for(purpose, kind, Some(*relation)))
}
