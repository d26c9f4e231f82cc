//! `tsunagi schemas`: writes what follows from the definition of the national format.

use std::{fs, path::Path};

use super::demo::{people::People, world::WorldError};
use crate::{
    domain::format::publish::{json_schema, xml_schema},
    wire::{json, xml},
};

/// The files: name and content. A test holds the committed ones against these.
///
/// # Errors
/// An example is not a valid document.
pub fn files() -> Result<Vec<(&'static str, String)>, WorldError> {
    let mut people = People::seeded(1);
    let mut full = people.family("122327");
    full.former_guardian = Some("架空 旧姓".to_owned());
    full.assessed = true;
    full.shield_since = Some("令和8年4月1日".to_owned());
    let minimal = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<childRecord xmlns=\"urn:tsunagi:national-format:v1\"><index><child><name><written>架空 子</written></name>",
        "<sex>9</sex><birthDate>令和8年4月</birthDate></child><guardian><name><written>架空 親</written></name>",
        "</guardian></index><contact><municipality>122327</municipality><address>架空町1番1号</address></contact>",
        "<officer><name>架空 担当</name></officer></childRecord>"
    );
    let invalid = |faults: Vec<_>| WorldError::Unexpected(format!("example document: {faults:?}"));
    let full = xml::read(full.to_xml().as_bytes()).map_err(invalid)?;
    let minimal = xml::read(minimal.as_bytes()).map_err(invalid)?;
    let pretty = |value| serde_json::to_string_pretty(&value).map(|text| text + "\n").unwrap_or_default();
    Ok(vec![
        ("national_format_v1.xsd", xml_schema()),
        ("national_format_v1.schema.json", pretty(json_schema())),
        ("example_full.xml", xml::write(full.sections().map(|(_, element)| element))),
        ("example_full.json", pretty(json::write(full.sections()))),
        ("example_minimal.xml", xml::write(minimal.sections().map(|(_, element)| element))),
        ("example_minimal.json", pretty(json::write(minimal.sections()))),
    ])
}

pub(super) fn write(directory: &Path) -> Result<(), WorldError> {
    fs::create_dir_all(directory)?;
    for (name, text) in files()? {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}
