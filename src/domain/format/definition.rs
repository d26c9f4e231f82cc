//! What an element of the national format may be.

use super::{code_lists::CodeList, lexical::Lexical};
use crate::domain::visibility::ItemGroup;

/// How often an element may occur in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurs {
    Once,
    AtMostOnce,
    AtLeastOnce,
    AnyNumber,
}

impl Occurs {
    pub fn is_mandatory(self) -> bool {
        matches!(self, Self::Once | Self::AtLeastOnce)
    }

    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::AtLeastOnce | Self::AnyNumber)
    }
}

/// What an element contains.
#[derive(Clone, Copy, Debug)]
pub enum FieldContent {
    Text(Lexical),
    Code(&'static CodeList),
    Children(&'static [Field]),
}

/// One element: its name on the wire, its Japanese term, how often, and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub japanese: &'static str,
    pub occurs: Occurs,
    pub content: FieldContent,
}

/// A top-level part of a record; all of it belongs to one item group.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    pub group: ItemGroup,
    pub field: Field,
}

/// A text element that must occur exactly once.
pub const fn text(name: &'static str, japanese: &'static str, lexical: Lexical) -> Field {
    Field { name, japanese, occurs: Occurs::Once, content: FieldContent::Text(lexical) }
}

/// A coded element that must occur exactly once.
pub const fn code(name: &'static str, japanese: &'static str, list: &'static CodeList) -> Field {
    Field { name, japanese, occurs: Occurs::Once, content: FieldContent::Code(list) }
}

/// An element with elements inside that must occur exactly once.
pub const fn parent(name: &'static str, japanese: &'static str, children: &'static [Field]) -> Field {
    Field { name, japanese, occurs: Occurs::Once, content: FieldContent::Children(children) }
}

impl Field {
    pub const fn optional(self) -> Self {
        Self { occurs: Occurs::AtMostOnce, ..self }
    }

    pub const fn one_or_more(self) -> Self {
        Self { occurs: Occurs::AtLeastOnce, ..self }
    }

    pub const fn any_number(self) -> Self {
        Self { occurs: Occurs::AnyNumber, ..self }
    }
}
