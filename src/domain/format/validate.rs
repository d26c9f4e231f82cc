//! Judges a document tree by the definition, whichever syntax it came in, and names every fault it finds.

use std::borrow::Cow;

use super::{
    ROOT,
    definition::{Field, FieldContent},
    document::{Document, Element},
    sections::SECTIONS,
};
use crate::domain::visibility::GroupSet;

/// A node as it was read, before it is known to mean anything.
#[derive(Debug)]
pub struct RawNode {
    pub name: String,
    /// Line in the source, from 1; 0 where the syntax does not tell.
    pub line: u64,
    pub content: RawContent,
}

#[derive(Debug)]
pub enum RawContent {
    Text(String),
    Children(Vec<RawNode>),
    /// Nothing but white space between the tags: the definition says whether that is a text or a parent.
    Blank(String),
}

impl RawNode {
    /// A node with a text, from no source.
    pub fn text(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), line: 0, content: RawContent::Text(text) }
    }

    /// A node with others in it, from no source.
    pub fn parent(name: &str, children: Vec<Self>) -> Self {
        Self { name: name.to_owned(), line: 0, content: RawContent::Children(children) }
    }
}

/// One fault: where, which rule, what to do. Never quotes the document: it may hold names.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Fault {
    /// Line in the source, from 1; 0 where the syntax does not tell.
    pub line: u64,
    /// Path of the element, such as `/childRecord/index/child/birthDate`.
    pub path: String,
    /// Stable name of the rule.
    pub rule: Cow<'static, str>,
    pub message_ja: String,
    pub message_en: String,
}

/// How the order of elements counts: XML prescribes it, JSON objects have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Prescribed,
    Free,
}

/// A report stops after so many faults: the sender mends these and sends again.
pub const MAX_FAULTS: usize = 100;

/// Reads the children of the root into a document, or returns all that is wrong.
///
/// # Errors
/// The faults in document order, at most 100.
pub fn validate(root: RawNode, order: Order) -> Result<Document, Vec<Fault>> {
    validate_without(root, order, GroupSet::EMPTY)
}

/// Reads a document without the sections of some groups: of a record that is changed these stay as they are.
///
/// # Errors
/// As [`validate`]; one of those sections is there.
pub fn validate_without(root: RawNode, order: Order, left_out: GroupSet) -> Result<Document, Vec<Fault>> {
    let mut judge = Judge { faults: Vec::new(), order };
    let path = format!("/{}", root.name);
    let sections = SECTIONS.iter().filter(|section| !left_out.contains(section.group));
    let fields: Vec<&'static Field> = sections.map(|section| &section.field).collect();
    let children = judge.children_of(root, &path, &fields);
    if !judge.faults.is_empty() {
        return Err(judge.faults);
    }
    let sections = children
        .into_iter()
        .filter_map(|element| {
            SECTIONS.iter().find(|s| s.field.name == element.name()).map(|section| (section.group, element))
        })
        .collect();
    Ok(Document::new(sections))
}

/// Reads one section, or returns all that is wrong with it.
///
/// # Errors
/// As [`validate`]; no section of the format has the name of the node.
pub fn validate_section(node: RawNode) -> Result<Element, Vec<Fault>> {
    let mut judge = Judge { faults: Vec::new(), order: Order::Free };
    let path = format!("/{ROOT}/{}", node.name);
    let section = SECTIONS.iter().find(|section| section.field.name == node.name);
    match section.and_then(|section| judge.element(node, &path, &section.field)) {
        Some(element) if judge.faults.is_empty() => Ok(element),
        _ => Err(judge.faults),
    }
}

struct Judge {
    faults: Vec<Fault>,
    order: Order,
}

impl Judge {
    fn fault(&mut self, line: u64, path: &str, rule: &'static str, ja: String, en: String) {
        if self.is_full() {
            return;
        }
        self.faults.push(Fault { line, path: path.to_owned(), rule: rule.into(), message_ja: ja, message_en: en });
    }

    /// Whether a report holds no more faults: to go on would only cost.
    fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    fn children_of(&mut self, node: RawNode, path: &str, fields: &[&'static Field]) -> Vec<Element> {
        let line = node.line;
        let nodes = match node.content {
            RawContent::Children(nodes) => nodes,
            RawContent::Blank(_) => Vec::new(),
            RawContent::Text(_) => {
                self.fault(
                    line,
                    path,
                    "elements_expected",
                    "値ではなく、下位の項目を記載してください。".into(),
                    "Elements are expected here, not text.".into(),
                );
                return Vec::new();
            }
        };
        let mut counts = vec![0_usize; fields.len()];
        let mut furthest = 0;
        let mut elements = Vec::new();
        for child in nodes {
            if self.is_full() {
                break;
            }
            let Some(position) = fields.iter().position(|field| field.name == child.name) else {
                // The name itself is not repeated: it may be a misplaced value.
                let expected = fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
                self.fault(
                    child.line,
                    path,
                    "unknown_element",
                    format!("全国共通フォーマットに定義のない項目があります。記載できる項目は {expected} です。"),
                    format!("The format does not define this element. Defined here: {expected}."),
                );
                continue;
            };
            let (Some(field), Some(count)) = (fields.get(position).copied(), counts.get_mut(position)) else {
                continue;
            };
            *count += 1;
            let index = *count;
            let child_path = if field.occurs.is_repeatable() {
                format!("{path}/{}[{index}]", field.name)
            } else {
                format!("{path}/{}", field.name)
            };
            if self.order == Order::Prescribed && position < furthest {
                self.fault(
                    child.line,
                    &child_path,
                    "element_order",
                    "項目の順序が全国共通フォーマットの定義と異なります。".into(),
                    "The element comes after one that must follow it.".into(),
                );
            }
            furthest = furthest.max(position);
            if index == 2 && !field.occurs.is_repeatable() {
                self.fault(
                    child.line,
                    &child_path,
                    "element_repeated",
                    "この項目は1回しか記載できません。".into(),
                    "The element may occur only once.".into(),
                );
            }
            if let Some(element) = self.element(child, &child_path, field) {
                elements.push((position, element));
            }
        }
        for (field, count) in fields.iter().zip(&counts) {
            if field.occurs.is_mandatory() && *count == 0 {
                self.fault(
                    line,
                    &format!("{path}/{}", field.name),
                    "element_missing",
                    format!("必須項目「{}」がありません。", field.japanese),
                    format!("The mandatory element {} is missing.", field.name),
                );
            }
        }
        // A stable sort: JSON documents come into the order of the definition, XML ones are in it already.
        elements.sort_by_key(|(position, _)| *position);
        elements.into_iter().map(|(_, element)| element).collect()
    }

    fn element(&mut self, node: RawNode, path: &str, field: &'static Field) -> Option<Element> {
        match field.content {
            FieldContent::Children(children) => {
                let fields: Vec<&'static Field> = children.iter().collect();
                let children = self.children_of(node, path, &fields);
                Some(Element::Parent { name: field.name, children })
            }
            FieldContent::Text(lexical) => {
                let line = node.line;
                let text = self.text_of(node, path)?;
                if !lexical.accepts(&text) {
                    self.fault(
                        line,
                        path,
                        "text_form",
                        lexical.request(field.japanese),
                        format!("{} must be {}.", field.name, lexical.rule().1),
                    );
                    return None;
                }
                Some(Element::Text { name: field.name, text })
            }
            FieldContent::Code(list) => {
                let line = node.line;
                let text = self.text_of(node, path)?;
                if !list.contains(&text) {
                    let known =
                        list.codes.iter().map(|(code, ja)| format!("{code}={ja}")).collect::<Vec<_>>().join(", ");
                    self.fault(
                        line,
                        path,
                        "code_list",
                        format!("「{}」のコードではありません。記載できるコードは {known} です。", field.japanese),
                        format!("This is not a code of the list {}. Its codes: {known}.", list.name),
                    );
                    return None;
                }
                Some(Element::Text { name: field.name, text })
            }
        }
    }

    fn text_of(&mut self, node: RawNode, path: &str) -> Option<String> {
        match node.content {
            RawContent::Text(text) | RawContent::Blank(text) => Some(text),
            RawContent::Children(_) => {
                self.fault(
                    node.line,
                    path,
                    "text_expected",
                    "下位の項目ではなく、値を記載してください。".into(),
                    "A text is expected here, not elements.".into(),
                );
                None
            }
        }
    }
}
