//! A record in XML, whatever the bytes.

use tsunagi::{
    domain::format::{Document, Fault, stored},
    wire::{json, xml},
};

/// Nothing panics. A document that was accepted is written and read again as the same document, in both syntaxes; one
/// that was refused says why, and does not quote itself.
pub fn enter(bytes: &[u8]) {
    match xml::read(bytes) {
        Ok(document) => survives_both_syntaxes(&document),
        Err(faults) => says_why(&faults),
    }
}

pub(super) fn survives_both_syntaxes(document: &Document) {
    let kept = stored::to_bytes(document);
    assert!(stored::from_bytes(&kept).as_ref() == Some(document), "a stored document does not come back");
    let in_xml = xml::write(document.sections().map(|(_, section)| section));
    assert!(xml::read(in_xml.as_bytes()).is_ok_and(|again| again == *document), "XML does not come back");
    let in_json = json::write(document.sections()).to_string();
    assert!(json::read(in_json.as_bytes()).is_ok_and(|again| again == *document), "JSON does not come back");
}

pub(super) fn says_why(faults: &[Fault]) {
    assert!(!faults.is_empty(), "a refusal without a reason");
    for fault in faults {
        assert!(!fault.message_ja.is_empty() && !fault.message_en.is_empty());
        assert!(is_of_the_format(&fault.path), "a path quotes the document");
    }
}

/// A path holds names of the format, which are ASCII words, the number of a repeated element, and `?` for the rest.
fn is_of_the_format(path: &str) -> bool {
    path.split('/').skip(1).all(|name| {
        let name = name.split('[').next().unwrap_or_default();
        name.is_empty() || name == "?" || NAMES.contains(name)
    })
}

static NAMES: std::sync::LazyLock<std::collections::HashSet<&'static str>> = std::sync::LazyLock::new(|| {
    use tsunagi::domain::format::{
        ROOT,
        definition::{Field, FieldContent},
        sections::SECTIONS,
    };
    fn add(names: &mut std::collections::HashSet<&'static str>, field: &'static Field) {
        names.insert(field.name);
        if let FieldContent::Children(children) = field.content {
            children.iter().for_each(|child| add(names, child));
        }
    }
    let mut names = std::collections::HashSet::from([ROOT, "format"]);
    SECTIONS.iter().for_each(|section| add(&mut names, &section.field));
    names
});
