//! National format v1: one definition, from which everything else follows.
//!
//! [`definition`] says what an element may be, [`sections`] lists every section and element, [`code_lists`] every
//! code. The XSD and the JSON schema ([`publish`]) are written from that definition, and [`validate`] judges a
//! document by it, whichever syntax it came in. A new section is one entry in [`sections`].

pub mod code_lists;
pub mod definition;
pub mod document;
pub mod lexical;
pub mod publish;
pub mod sections;
pub mod stored;
pub mod validate;

pub use document::{Document, Element};
pub use validate::{Fault, RawContent, RawNode, validate};

/// Namespace of the XML form and value of `format` in the JSON form.
pub const NAMESPACE: &str = "urn:tsunagi:national-format:v1";
/// Name of the XML root element.
pub const ROOT: &str = "childRecord";
