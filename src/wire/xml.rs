//! The XML form of the national format: strict reading, plain writing.
//!
//! quick-xml gives the events; what XML 1.0 and the format demand beyond them is checked here: one root in the
//! right namespace, no document type, no attributes but namespace declarations, legal characters only, and caps on
//! depth and attributes while reading, so that a hostile document costs little.

mod grammar;

use quick_xml::{
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
    reader::NsReader,
};

use super::{MAX_DEPTH, syntax_fault};
use crate::domain::format::{
    Document, Element, Fault, NAMESPACE, ROOT, RawContent, RawNode,
    definition::Field,
    document::child_field,
    sections::SECTIONS,
    validate::{Order, validate},
};

/// Attributes on one element, namespace declarations included.
pub const MAX_ATTRIBUTES: usize = 256;

/// Reads and validates a document.
///
/// # Errors
/// Every fault found, with line and path. A fault of syntax is reported alone: what follows it cannot be trusted.
pub fn read(bytes: &[u8]) -> Result<Document, Vec<Fault>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_at(bytes, error.valid_up_to());
        syntax_fault(line, "/", "encoding", "文書の文字コードはUTF-8としてください。", "The document must be UTF-8.")
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    refuse_illegal_characters(text)?;
    let reading = DocumentReader { text, reader: NsReader::from_str(text), counted: (0, 1) };
    // quick-xml takes off a byte order mark too, and a second one is a character before the root.
    let root = if text.starts_with('\u{FEFF}') { Err(reading.not_well_formed())? } else { reading.root()? };
    validate(root, Order::Prescribed)
}

/// XML 1.0 (5th ed.) production 2: characters that no XML document may hold anywhere.
fn refuse_illegal_characters(text: &str) -> Result<(), Vec<Fault>> {
    let illegal =
        |c: char| matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}');
    match text.find(illegal) {
        None => Ok(()),
        Some(offset) => Err(syntax_fault(
            line_at(text.as_bytes(), offset),
            "/",
            "xml_character",
            "XMLで使用できない文字があります。",
            "The document holds a character that XML does not allow.",
        )),
    }
}

fn line_at(bytes: &[u8], offset: usize) -> u64 {
    let before = bytes.get(..offset).unwrap_or(bytes);
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u64
}

struct OpenElement {
    node: RawNode,
    text: String,
    children: Vec<RawNode>,
}

impl OpenElement {
    fn close(self, path: &str) -> Result<RawNode, Vec<Fault>> {
        let Self { mut node, text, children } = self;
        let blank = text.chars().all(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
        node.content = match (children.is_empty(), blank) {
            (true, true) => RawContent::Blank(text),
            (true, false) => RawContent::Text(text),
            (false, true) => RawContent::Children(children),
            (false, false) => {
                return Err(syntax_fault(
                    node.line,
                    path,
                    "mixed_content",
                    "項目の間に文字を置くことはできません。",
                    "Text between elements is not allowed.",
                ));
            }
        };
        Ok(node)
    }
}

/// The elements that are open, the innermost last, and the root once it is closed.
#[derive(Default)]
struct TreeBuilder {
    open: Vec<OpenElement>,
    root: Option<RawNode>,
}

impl TreeBuilder {
    fn begin(&mut self, node: RawNode) -> Result<(), Vec<Fault>> {
        let line = node.line;
        self.open.push(OpenElement { node, text: String::new(), children: Vec::new() });
        if self.open.len() <= MAX_DEPTH {
            return Ok(());
        }
        let (ja, en) = ("入れ子が深すぎます（64段まで）。", "Elements are nested more than 64 deep.");
        Err(syntax_fault(line, &self.path(), "depth", ja, en))
    }

    fn add(&mut self, node: RawNode) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
    }

    fn append(&mut self, text: &str, line: u64) -> Result<(), Vec<Fault>> {
        match self.open.last_mut() {
            Some(parent) => {
                parent.text.push_str(text);
                Ok(())
            }
            None if text.trim_matches([' ', '\t', '\n', '\r']).is_empty() => Ok(()),
            None => Err(syntax_fault(
                line,
                "/",
                "single_document",
                "ルート要素の外に文字があります。",
                "There is text outside the root element.",
            )),
        }
    }

    /// The path of the element that is open. Names come from the document and are quoted only where they are those of
    /// the format.
    fn path(&self) -> String {
        let mut path = String::new();
        let mut parent: Option<&'static Field> = None;
        for (depth, OpenElement { node, .. }) in self.open.iter().enumerate() {
            let name = match depth {
                0 => ROOT,
                1 => {
                    parent = SECTIONS.iter().map(|section| &section.field).find(|field| field.name == node.name);
                    parent.map_or("?", |field| field.name)
                }
                _ => {
                    parent = parent.and_then(|parent| child_field(parent, &node.name));
                    parent.map_or("?", |field| field.name)
                }
            };
            path.push('/');
            path.push_str(name);
        }
        path
    }
}

struct DocumentReader<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    /// Bytes looked at for line ends so far, and the line they end on: each byte is looked at once.
    counted: (usize, u64),
}

impl<'a> DocumentReader<'a> {
    fn root(mut self) -> Result<RawNode, Vec<Fault>> {
        self.reader.config_mut().check_comments = true;
        let mut tree = TreeBuilder::default();
        let mut is_first = true;
        loop {
            let at = self.line();
            match self.reader.read_event().map_err(|_| self.not_well_formed())? {
                Event::Eof => break,
                Event::Decl(declaration) if is_first && grammar::is_declaration(&declaration) => {}
                event => self.take(event, at, &mut tree)?,
            }
            is_first = false;
        }
        if !tree.open.is_empty() {
            return Err(self.not_well_formed());
        }
        let (ja, en) = ("文書が空です。", "The document has no root element.");
        tree.root.ok_or_else(|| syntax_fault(1, "/", "root_element", ja, en))
    }

    /// Takes one event that begins on a line.
    fn take(&self, event: Event<'a>, at: u64, tree: &mut TreeBuilder) -> Result<(), Vec<Fault>> {
        match event {
            Event::Start(start) => tree.begin(self.element(&start, tree, at)?),
            Event::Empty(start) => {
                let node = self.element(&start, tree, at)?;
                tree.add(node);
                Ok(())
            }
            Event::End(_) => {
                let path = tree.path();
                let closed = tree.open.pop().ok_or_else(|| self.not_well_formed())?;
                tree.add(closed.close(&path)?);
                Ok(())
            }
            Event::Text(text) if !text.contains("]]>") => tree.append(&normalize_line_ends(&text), at),
            Event::CData(data) if !tree.open.is_empty() => tree.append(&normalize_line_ends(&data), at),
            Event::GeneralRef(reference) => {
                let text = self.resolve(&reference, at, tree)?;
                tree.append(&text, at)
            }
            Event::Comment(_) => Ok(()),
            Event::PI(instruction) if grammar::is_instruction(&instruction) => Ok(()),
            Event::Text(_) | Event::CData(_) | Event::PI(_) | Event::Eof => Err(self.not_well_formed()),
            Event::Decl(_) => Err(syntax_fault(
                at,
                "/",
                "xml_declaration",
                "XML宣言は文書の先頭に1つだけとし、version=\"1.0\" encoding=\"UTF-8\" としてください。",
                "The XML declaration comes first and once, as version=\"1.0\" encoding=\"UTF-8\".",
            )),
            Event::DocType(_) => Err(syntax_fault(
                at,
                "/",
                "document_type",
                "DOCTYPE宣言は使用できません。",
                "A document type declaration is not allowed.",
            )),
        }
    }

    /// What a reference to a character, or to one of the five predefined entities, stands for.
    fn resolve(&self, reference: &BytesRef<'_>, line: u64, tree: &TreeBuilder) -> Result<String, Vec<Fault>> {
        let text = match reference.resolve_char_ref().map_err(|_| self.not_well_formed())? {
            Some(c) => c.to_string(),
            None => match &**reference {
                "amp" => "&".into(),
                "lt" => "<".into(),
                "gt" => ">".into(),
                "quot" => "\"".into(),
                "apos" => "'".into(),
                _ => {
                    let (ja, en) =
                        ("定義されていない実体参照です。", "The document refers to an entity that is not defined.");
                    return Err(syntax_fault(line, &tree.path(), "entity", ja, en));
                }
            },
        };
        refuse_illegal_characters(&text).map_err(|_| self.not_well_formed())?;
        if tree.open.is_empty() { Err(self.not_well_formed()) } else { Ok(text) }
    }

    fn line(&mut self) -> u64 {
        let (from, line) = self.counted;
        let to = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX).min(self.text.len());
        let passed = self.text.as_bytes().get(from..to).unwrap_or_default();
        self.counted = (to, line + passed.iter().filter(|byte| **byte == b'\n').count() as u64);
        self.counted.1
    }

    fn not_well_formed(&self) -> Vec<Fault> {
        let offset = usize::try_from(self.reader.error_position()).unwrap_or(usize::MAX);
        let line = line_at(self.text.as_bytes(), offset).max(1);
        syntax_fault(line, "/", "well_formed", "XMLとして正しくありません。", "The document is not well-formed XML.")
    }

    /// Checks name, namespace and attributes of a start tag.
    fn element(&self, start: &BytesStart<'_>, tree: &TreeBuilder, line: u64) -> Result<RawNode, Vec<Fault>> {
        if tree.root.is_some() {
            let (ja, en) = ("送信できる文書は1つだけです。", "Only one document may be sent.");
            return Err(syntax_fault(line, "/", "single_document", ja, en));
        }
        if !grammar::is_qualified_name(start.name().as_ref()) || !grammar::attributes_are_apart(start) {
            return Err(self.not_well_formed());
        }
        for (count, attribute) in start.attributes().enumerate() {
            if count >= MAX_ATTRIBUTES {
                return Err(syntax_fault(line, "/", "attributes", "属性が多すぎます。", "Too many attributes."));
            }
            let attribute = attribute.map_err(|_| self.not_well_formed())?;
            let key = attribute.key.as_ref();
            let is_text = !attribute.value.contains('<') && quick_xml::escape::unescape(&attribute.value).is_ok();
            if !is_text || !grammar::is_qualified_name(key) {
                return Err(self.not_well_formed());
            }
            let declares_namespace = key == "xmlns" || key.starts_with("xmlns:");
            if !declares_namespace {
                return Err(syntax_fault(
                    line,
                    "/",
                    "attribute",
                    "属性は使用できません。",
                    "The format has no attributes.",
                ));
            }
        }
        let (namespace, local) = self.reader.resolver().resolve_element(start.name());
        let local: &str = local.as_ref();
        let bound = matches!(namespace, ResolveResult::Bound(name) if name.as_ref() == NAMESPACE);
        if !bound {
            return Err(syntax_fault(
                line,
                "/",
                "namespace",
                &format!("名前空間は {NAMESPACE} としてください。"),
                &format!("Elements must be in the namespace {NAMESPACE}."),
            ));
        }
        if tree.open.is_empty() && local != ROOT {
            return Err(syntax_fault(
                line,
                "/",
                "root_element",
                &format!("ルート要素は {ROOT} としてください。"),
                &format!("The root element must be {ROOT}."),
            ));
        }
        Ok(RawNode { name: local.to_owned(), line, content: RawContent::Blank(String::new()) })
    }
}

/// XML 1.0 section 2.11.
fn normalize_line_ends(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// Writes sections as a document, in the order in which they are given.
pub fn write<'e>(sections: impl Iterator<Item = &'e Element>) -> String {
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{ROOT} xmlns=\"{NAMESPACE}\">\n");
    for section in sections {
        write_element(&mut out, section, 1);
    }
    out.push_str("</");
    out.push_str(ROOT);
    out.push_str(">\n");
    out
}

fn write_element(out: &mut String, element: &Element, depth: usize) {
    let indent = "  ".repeat(depth);
    let name = element.name();
    match element.text() {
        Some(text) => {
            out.push_str(&format!("{indent}<{name}>{}</{name}>\n", quick_xml::escape::escape(text)));
        }
        None => {
            out.push_str(&format!("{indent}<{name}>\n"));
            for child in element.children() {
                write_element(out, child, depth + 1);
            }
            out.push_str(&format!("{indent}</{name}>\n"));
        }
    }
}
