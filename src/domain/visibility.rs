//! Who may see what (閲覧制限).
//!
//! A [`Relation`] is worked out at each access from facts; [`visible_groups`] says which item groups it may see.
//! The standard matrix is `policy/standard_visibility.txt`; a body's own settings move it between nothing and the
//! national [`ceiling`]. Nothing here reads a record: a decision never depends on what it hides.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use super::organization::{OrganizationCode, OrganizationKind};

/// Parts of a record that are shown or withheld as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ItemGroup {
    /// The four: child's name, sex, birth date, guardian's name.
    Index,
    Contact,
    Affiliation,
    Case,
    Assessment,
    Support,
    Family,
    Health,
    Welfare,
    Diagnosis,
    Protection,
    Attachments,
    Officer,
    Reporter,
    Shielded,
}

impl ItemGroup {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A set of item groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSet(u16);

impl GroupSet {
    pub const EMPTY: Self = Self(0);

    pub fn of(groups: impl IntoIterator<Item = ItemGroup>) -> Self {
        groups.into_iter().fold(Self::EMPTY, Self::with)
    }

    pub fn with(self, group: ItemGroup) -> Self {
        Self(self.0 | 1 << group as u16)
    }

    pub fn contains(self, group: ItemGroup) -> bool {
        self.0 & (1 << group as u16) != 0
    }

    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = ItemGroup> {
        ItemGroup::ALL.iter().copied().filter(move |group| self.contains(*group))
    }

    /// For the database: one bit a group, in the order of [`ItemGroup::ALL`].
    pub fn bits(self) -> i64 {
        i64::from(self.0)
    }

    pub fn from_bits(bits: i64) -> Self {
        Self::of(ItemGroup::ALL.iter().copied().filter(|group| bits & (1 << *group as i64) != 0))
    }
}

/// What a reader is to a record, at the moment of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Relation {
    Owner,
    Counterpart,
    ReceiverPreview,
    Receiver,
    FormerOwner,
    Reviewer,
    BreakGlass,
    Outsider,
    /// Prefecture offices, the operator, and the ministry for all but serious cases.
    Nobody,
}

impl Relation {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The basis in law on which this relation reads a record.
    pub fn legal_basis(self, abuse_case: bool) -> LegalBasis {
        match self {
            Self::Owner => LegalBasis::OwnRecord,
            Self::Counterpart => LegalBasis::ChildWelfareArticle25_2,
            Self::Reviewer => LegalBasis::AbusePreventionArticle4,
            Self::ReceiverPreview
            | Self::Receiver
            | Self::FormerOwner
            | Self::BreakGlass
            | Self::Outsider
            | Self::Nobody => {
                if abuse_case {
                    LegalBasis::AbusePreventionArticle13_4
                } else {
                    LegalBasis::Ordinance
                }
            }
        }
    }
}

/// The basis in law of a disclosure (法的根拠).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LegalBasis {
    /// The body reads what it registered.
    OwnRecord,
    /// 児童福祉法25条の2: exchange within the regional council, between a center and its municipalities.
    #[serde(rename = "child_welfare_act_25_2")]
    #[strum(serialize = "child_welfare_act_25_2")]
    ChildWelfareArticle25_2,
    /// 児童虐待防止法13条の4: provision of material or information between other bodies.
    #[serde(rename = "abuse_prevention_act_13_4")]
    #[strum(serialize = "abuse_prevention_act_13_4")]
    AbusePreventionArticle13_4,
    /// 児童虐待防止法4条5項: analysis of serious cases by the state.
    #[serde(rename = "abuse_prevention_act_4_5")]
    #[strum(serialize = "abuse_prevention_act_4_5")]
    AbusePreventionArticle4,
    /// An ordinance of the owner, for cases other than abuse.
    Ordinance,
}

impl LegalBasis {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What the caller wants to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Operation {
    View,
    /// Older versions.
    History,
    /// Appearing in a national search.
    Search,
}

impl Operation {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The most that any setting can give a relation. Every group is decided here by name: a new one does not compile
/// until somebody has said who may see it.
pub fn ceiling(group: ItemGroup, relation: Relation) -> bool {
    use Relation::{BreakGlass, Counterpart, FormerOwner, Nobody, Owner, Receiver, ReceiverPreview, Reviewer};
    match group {
        ItemGroup::Index => !matches!(relation, Nobody),
        ItemGroup::Contact => matches!(relation, Owner | Counterpart | Receiver | FormerOwner | BreakGlass),
        ItemGroup::Affiliation => {
            matches!(relation, Owner | Counterpart | Receiver | FormerOwner | Reviewer | BreakGlass)
        }
        ItemGroup::Case | ItemGroup::Assessment | ItemGroup::Officer => {
            matches!(relation, Owner | Counterpart | ReceiverPreview | Receiver | FormerOwner | Reviewer | BreakGlass)
        }
        ItemGroup::Support
        | ItemGroup::Family
        | ItemGroup::Health
        | ItemGroup::Welfare
        | ItemGroup::Diagnosis
        | ItemGroup::Protection
        | ItemGroup::Attachments => matches!(relation, Owner | Counterpart | Receiver | FormerOwner | Reviewer),
        ItemGroup::Reporter => matches!(relation, Owner),
        ItemGroup::Shielded => matches!(relation, Owner | Counterpart),
    }
}

/// The standard matrix, as read from `policy/standard_visibility.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix(BTreeMap<Relation, GroupSet>);

/// What is wrong with a matrix file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MatrixError {
    #[error("line {0}: expected `relation | cells`")]
    Form(usize),
    #[error("line {0}: unknown relation or item group")]
    UnknownName(usize),
    #[error("line {0}: a cell is `yes` or `-`, one for each group")]
    Cell(usize),
    #[error("line {0}: above the national ceiling")]
    AboveCeiling(usize),
    #[error("not every relation and item group is decided")]
    Incomplete,
}

impl Matrix {
    /// Reads a matrix and holds it against the national ceiling.
    ///
    /// # Errors
    /// The first line that is not a decision, or that decides more than the ceiling allows.
    pub fn parse(text: &str) -> Result<Self, MatrixError> {
        let mut header: Vec<ItemGroup> = Vec::new();
        let mut rows = BTreeMap::new();
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, cells) = line.split_once('|').ok_or(MatrixError::Form(number))?;
            if name.trim() == "group" {
                header = cells
                    .split_whitespace()
                    .map(|cell| cell.parse().map_err(|_| MatrixError::UnknownName(number)))
                    .collect::<Result<_, _>>()?;
                continue;
            }
            let relation: Relation = name.trim().parse().map_err(|_| MatrixError::UnknownName(number))?;
            let cells: Vec<&str> = cells.split_whitespace().collect();
            if cells.len() != header.len() {
                return Err(MatrixError::Cell(number));
            }
            let mut groups = GroupSet::EMPTY;
            for (group, cell) in header.iter().zip(cells) {
                match cell {
                    "yes" if ceiling(*group, relation) => groups = groups.with(*group),
                    "yes" => return Err(MatrixError::AboveCeiling(number)),
                    "-" => {}
                    _ => return Err(MatrixError::Cell(number)),
                }
            }
            rows.insert(relation, groups);
        }
        let all_groups = header.len() == ItemGroup::ALL.len();
        let all_relations = Relation::ALL.iter().all(|r| *r == Relation::Nobody || rows.contains_key(r));
        if all_groups && all_relations { Ok(Self(rows)) } else { Err(MatrixError::Incomplete) }
    }

    fn row(&self, relation: Relation) -> GroupSet {
        self.0.get(&relation).copied().unwrap_or(GroupSet::EMPTY)
    }
}

/// The matrix that ships with the gateway. A faulty file gives nobody anything; a test keeps it from shipping.
static STANDARD: LazyLock<Matrix> = LazyLock::new(|| {
    Matrix::parse(include_str!("../../policy/standard_visibility.txt")).unwrap_or(Matrix(BTreeMap::new()))
});

/// What no setting can hide: an owner sees its records whole, and everybody else the index.
pub fn is_floor(group: ItemGroup, relation: Relation) -> bool {
    relation == Relation::Owner || group == ItemGroup::Index
}

/// Whether the national standard shows a group to a relation.
pub fn shown_by_standard(group: ItemGroup, relation: Relation) -> bool {
    STANDARD.row(relation).contains(group)
}

/// A body's own changes to the rows of its records (各自治体で設定を変更できる).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisibilitySettings {
    /// Groups hidden from a relation although the standard shows them.
    #[serde(default)]
    pub hide: BTreeMap<Relation, Vec<ItemGroup>>,
    /// Groups shown to a relation although the standard hides them; never above the ceiling.
    #[serde(default)]
    pub show: BTreeMap<Relation, Vec<ItemGroup>>,
}

impl VisibilitySettings {
    /// Whether every change stays between the national floor (the index) and the ceiling.
    pub fn is_lawful(&self) -> bool {
        let below_ceiling =
            self.show.iter().all(|(relation, groups)| groups.iter().all(|group| ceiling(*group, *relation)));
        let above_floor =
            self.hide.iter().all(|(relation, groups)| groups.iter().all(|group| !is_floor(*group, *relation)));
        below_ceiling && above_floor
    }

    /// Whether anybody would be shown more than under the earlier settings.
    pub fn loosens(&self, before: &Self) -> bool {
        Relation::ALL.iter().any(|relation| !self.row(*relation).without(before.row(*relation)).is_empty())
    }

    /// What is shown to a relation, as far as settings decide it.
    pub fn row(&self, relation: Relation) -> GroupSet {
        let ceiling = GroupSet::of(ItemGroup::ALL.iter().copied().filter(|group| ceiling(*group, relation)));
        STANDARD
            .row(relation)
            .union(Self::groups(&self.show, relation))
            .without(Self::groups(&self.hide, relation))
            .intersection(ceiling)
    }

    fn groups(map: &BTreeMap<Relation, Vec<ItemGroup>>, relation: Relation) -> GroupSet {
        GroupSet::of(map.get(&relation).into_iter().flatten().copied())
    }
}

/// Protection of a record whose family is in hiding (支援措置).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shield {
    pub active: bool,
    /// Bodies to which the owner lets address and affiliation go.
    pub named: Vec<OrganizationCode>,
}

/// What must be known about a record and its reader to decide; nothing in it comes from a hidden item.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    pub relation: Relation,
    pub reader: &'a OrganizationCode,
    /// The reader's role lets it see a reporter's identity (owner only).
    pub reads_reporter: bool,
    pub shield: &'a Shield,
    pub settings: &'a VisibilitySettings,
    /// For a receiver or former owner: what was provided.
    pub provided: Option<GroupSet>,
}

/// Groups that a shield takes from everybody but the owner and the bodies it named.
pub const SHIELD_HIDES: [ItemGroup; 4] =
    [ItemGroup::Contact, ItemGroup::Affiliation, ItemGroup::Attachments, ItemGroup::Shielded];

/// The groups that may be shown. Empty means that the record does not exist for this reader.
pub fn visible_groups(operation: Operation, situation: &Situation<'_>) -> GroupSet {
    let Situation { relation, reader, reads_reporter, shield, settings, provided } = situation;
    if shield.active && *relation == Relation::Outsider && reader.kind() == OrganizationKind::Municipality {
        return GroupSet::EMPTY;
    }
    let mut groups = settings.row(*relation);
    if let Some(provided) = provided
        && matches!(relation, Relation::Receiver | Relation::ReceiverPreview | Relation::FormerOwner)
    {
        groups = groups.intersection(*provided);
    }
    if shield.active && *relation != Relation::Owner && !shield.named.contains(reader) {
        groups = groups.without(GroupSet::of(SHIELD_HIDES));
        if *relation == Relation::BreakGlass {
            // The officer's desk would name the owner, and that is a location.
            groups = groups.without(GroupSet::of([ItemGroup::Officer]));
        }
    }
    if !reads_reporter {
        groups = groups.without(GroupSet::of([ItemGroup::Reporter]));
    }
    match operation {
        // An outsider meets a record in a search and nowhere else (市町村間の相互閲覧の機能は設けない).
        Operation::View if *relation == Relation::Outsider => GroupSet::EMPTY,
        Operation::View => groups,
        Operation::History => match relation {
            Relation::Owner | Relation::Counterpart => groups,
            Relation::ReceiverPreview
            | Relation::Receiver
            | Relation::FormerOwner
            | Relation::Reviewer
            | Relation::BreakGlass
            | Relation::Outsider
            | Relation::Nobody => GroupSet::EMPTY,
        },
        Operation::Search => match relation {
            Relation::Reviewer | Relation::Nobody => GroupSet::EMPTY,
            Relation::Owner
            | Relation::Counterpart
            | Relation::ReceiverPreview
            | Relation::Receiver
            | Relation::FormerOwner
            | Relation::BreakGlass
            | Relation::Outsider => groups.intersection(GroupSet::of([ItemGroup::Index])),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_matrix_is_whole_and_lawful() {
        let parsed = Matrix::parse(include_str!("../../policy/standard_visibility.txt"));
        assert!(parsed.is_ok(), "{parsed:?}");
    }

    #[test]
    fn a_matrix_above_the_ceiling_is_refused() {
        let text = include_str!("../../policy/standard_visibility.txt");
        let planted: String = text
            .lines()
            .map(|line| {
                if line.starts_with("outsider ") { line.replacen(" -", " yes", 1) } else { line.to_owned() }
            } + "\n")
            .collect();
        assert!(matches!(Matrix::parse(&planted), Err(MatrixError::AboveCeiling(_))));
    }
}
