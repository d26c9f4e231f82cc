//! `tsunagi schemas`: writes what follows from the definition of the national format.

use std::{fs, path::Path};

use super::error::CommandError;
use crate::{
    domain::format::publish::{json_schema, xml_schema},
    wire::{json, xml},
};

/// What is read as the example with every section; nobody of it exists.
const FULL: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<childRecord xmlns=\"urn:tsunagi:national-format:v1\"><index><child><name><written>髙橋 結菜</written>",
    "<kana>タカハシ ユイナ</kana></name><sex>2</sex><birthDate>2012-09-22</birthDate></child><guardian><name>",
    "<written>髙橋 彩</written><kana>タカハシ アヤ</kana></name><otherName><form>former</form>",
    "<written>架空 旧姓</written></otherName><authority>1</authority></guardian></index>",
    "<contact><municipality>122327</municipality><address>架空町4丁目1番11号</address><phone>090-0000-0000</phone></contact>",
    "<affiliation><facility><enrolment>1</enrolment><name>架空保育園</name></facility></affiliation>",
    "<case><caseClass>1</caseClass><abuseKind>2</abuseKind><acceptedOn>R8.4.1</acceptedOn></case>",
    "<assessment><urgency><scale>市独自（S・A～F）</scale><value>A</value><nationalRank>2</nationalRank></urgency>",
    "<riskSheet><form>共通リスクアセスメント</form><assessedOn>R8.11.1</assessedOn>",
    "<riskItem><item>保護者が受診させない</item><answer>1</answer></riskItem></riskSheet></assessment>",
    "<support><policy>家庭訪問を週1回行う</policy></support><officer><name>架空 担当</name></officer>",
    "<reporter><name>匿名 通告者</name><phone>080-0000-0000</phone></reporter>",
    "<shield><kind>1</kind><since>令和8年4月1日</since></shield></childRecord>"
);

/// What is read as the example with nothing but what must be there.
const MINIMAL: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<childRecord xmlns=\"urn:tsunagi:national-format:v1\"><index><child><name><written>架空 子</written></name>",
    "<sex>9</sex><birthDate>令和8年4月</birthDate></child><guardian><name><written>架空 親</written></name>",
    "</guardian></index><contact><municipality>122327</municipality><address>架空町1番1号</address></contact>",
    "<officer><name>架空 担当</name></officer></childRecord>"
);

/// The files: name and content. A test holds the committed ones against these.
///
/// # Errors
/// An example is not a valid document.
pub fn files() -> Result<Vec<(&'static str, String)>, CommandError> {
    let invalid = |faults: Vec<_>| CommandError::Unexpected(format!("example document: {faults:?}"));
    let full = xml::read(FULL.as_bytes()).map_err(invalid)?;
    let minimal = xml::read(MINIMAL.as_bytes()).map_err(invalid)?;
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

pub(super) fn write(directory: &Path) -> Result<(), CommandError> {
    fs::create_dir_all(directory)?;
    for (name, text) in files()? {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}
