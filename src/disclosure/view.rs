//! What the gate discloses: a record as one reader may see it, children found.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::{
        attachment::AttachmentLine,
        case_record::NameForm,
        format::Element,
        organization::OrganizationCode,
        visibility::{GroupSet, ItemGroup, Relation, Shield},
    },
    planted::Planted,
    search::pattern::Rank,
};

/// One item group in a view.
pub enum Item {
    Shown(Element),
    /// It may be seen and was not asked for: whether anything lies behind it was not looked at.
    NotAsked,
    Withheld,
}

/// How much of what a reader may see is asked for. What is not asked for is neither disclosed nor in the entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    Whole,
    /// Of a shielded record address and affiliation stay closed: somebody may look over a shoulder.
    Closed,
    /// These groups, and the index.
    Only(GroupSet),
}

/// Groups of a shielded record that stay closed until they are asked for.
pub const CLOSED_BY_SHIELD: [ItemGroup; 2] = [ItemGroup::Contact, ItemGroup::Affiliation];

impl Extent {
    /// What of the groups that may be seen is asked for.
    pub(super) fn of(self, may_see: GroupSet, shield: &Shield) -> GroupSet {
        match self {
            Self::Closed if shield.active && !Planted::OpenWhatIsClosed.is_planted() => {
                may_see.without(GroupSet::of(CLOSED_BY_SHIELD))
            }
            Self::Whole | Self::Closed => may_see,
            Self::Only(groups) => may_see.intersection(groups.with(ItemGroup::Index)),
        }
    }
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
    /// Whether the household is shielded; `None` for those who learn of a shield by nothing but what is withheld.
    pub shielded: Option<bool>,
    /// Whole years on the day of the disclosure.
    pub age: i32,
    pub items: Vec<(ItemGroup, Item)>,
    pub attachments: Vec<AttachmentLine>,
    /// Files may not be seen, whether or not there are any.
    pub withholds_attachments: bool,
}

/// Whom to call about a child.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Contact {
    /// The body that owns the record.
    Owner { organization: OrganizationCode, name: String, desk: String },
    /// A shielded record: its owner is asked through the gateway, with an inquiry about the record.
    Relay { desk: &'static str },
}

/// One child found by a search: the four items, and whom to call.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FoundChild {
    pub record: Uuid,
    pub name: String,
    /// Code of the list `SexCode`.
    pub sex: String,
    /// `2018-04-01`, or its known part.
    pub birth_date: String,
    pub guardians: Vec<String>,
    pub contact: Contact,
    /// Whether the record is the caller's to open, as its own, a counterpart's or a provided one.
    pub may_open: bool,
    pub rank: Rank,
    /// Whose name matched, in which written form.
    pub matched: Vec<Matched>,
}

/// The children that a search shows, best first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FoundChildren {
    pub children: Vec<FoundChild>,
    /// Weaker hits, apart from the others: one kana of the name is wrong, missing or too many.
    pub near_misses: Vec<FoundChild>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Matched {
    pub person: &'static str,
    pub form: NameForm,
}
