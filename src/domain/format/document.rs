//! A document of the national format after it has been validated.

use aws_lc_rs::digest::{SHA256, digest};

use super::{
    definition::{Field, FieldContent},
    sections::SECTIONS,
};
use crate::domain::visibility::ItemGroup;

/// One element with its text or its children. Names are those of the definition.
#[derive(Clone, PartialEq, Eq)]
pub enum Element {
    Text { name: &'static str, text: String },
    Parent { name: &'static str, children: Vec<Element> },
}

impl Element {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text { name, .. } | Self::Parent { name, .. } => name,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Parent { .. } => None,
        }
    }

    pub fn children(&self) -> &[Element] {
        match self {
            Self::Text { .. } => &[],
            Self::Parent { children, .. } => children,
        }
    }

    /// The children with this name, in document order.
    pub fn each<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children().iter().filter(move |child| child.name() == name)
    }

    /// The first child with this name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children().iter().find(|child| child.name() == name)
    }

    /// The text of the first child with this name.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).and_then(Element::text)
    }
}

/// A validated record: its sections, each with the item group it belongs to, in document order.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    sections: Vec<(ItemGroup, Element)>,
}

impl Document {
    pub(super) fn new(sections: Vec<(ItemGroup, Element)>) -> Self {
        Self { sections }
    }

    pub fn section(&self, group: ItemGroup) -> Option<&Element> {
        self.sections.iter().find(|(of, _)| *of == group).map(|(_, element)| element)
    }

    pub fn sections(&self) -> impl Iterator<Item = (ItemGroup, &Element)> {
        self.sections.iter().map(|(group, element)| (*group, element))
    }

    /// The document with only those sections whose group is kept.
    pub fn retain(mut self, keep: impl Fn(ItemGroup) -> bool) -> Self {
        self.sections.retain(|(group, _)| keep(*group));
        self
    }

    /// The document with a section put in the place of the one that it has, or without it.
    pub fn with_section(self, group: ItemGroup, section: Option<Element>) -> Self {
        let mut sections = self.retain(|of| of != group).sections;
        sections.extend(section.map(|section| (group, section)));
        sections.sort_by_key(|(of, _)| SECTIONS.iter().position(|section| section.group == *of));
        Self { sections }
    }

    /// SHA-256 of all that its shield says, hexadecimal; `None` where there is none.
    pub fn shield_digest(&self) -> Option<String> {
        let section = self.section(ItemGroup::Shielded)?;
        let digest = digest(&SHA256, &super::stored::section_bytes(section));
        Some(data_encoding::HEXLOWER.encode(digest.as_ref()))
    }

    /// The sections themselves, to be sorted into shown and withheld.
    pub fn into_sections(self) -> Vec<(ItemGroup, Element)> {
        self.sections
    }
}

/// The definition of a section by its item group.
pub fn section_field(group: ItemGroup) -> Option<&'static Field> {
    SECTIONS.iter().find(|section| section.group == group).map(|section| &section.field)
}

/// The definition of a child element by its name.
pub fn child_field(field: &'static Field, name: &str) -> Option<&'static Field> {
    match field.content {
        FieldContent::Children(children) => children.iter().find(|child| child.name == name),
        FieldContent::Text(_) | FieldContent::Code(_) => None,
    }
}
