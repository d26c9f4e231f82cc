//! Whose a row is that is not what the gateway wrote. What it says is believed by nobody: it only says who has to look.

use uuid::Uuid;

use super::{
    access::{light, where_key},
    name::RowName,
    row::Value,
    table::{MarkedTable, Weight},
    tables::by_name,
};
use crate::{
    domain::organization::OrganizationCode,
    store::{error::StoreError, tx::Tx},
};

const BY_ID: &str = "WHERE id = $1";

/// On whom a row rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A record, whose owner memory knows.
    Record(Uuid),
    /// The body that it names.
    Organization(OrganizationCode),
}

/// Terminals, sessions, codes, waiting acts, batches: not what is somebody's at a record.
fn names_its_organization(table: &MarkedTable) -> bool {
    let is_of_record = table.hangs_on.is_some() || table.columns.first().is_some_and(|key| key.name == "record");
    !is_of_record && table.name != "disposals" && table.position("organization").is_some()
}

/// The organization that a row names, by its key.
async fn by_its_organization(tx: &mut Tx, table: &'static MarkedTable, row: &str) -> Result<Option<Whose>, StoreError> {
    let keys = table.columns.iter().filter(|column| column.weight == Weight::Key);
    let key: Option<Vec<Value>> =
        keys.zip(row.split(':')).map(|(column, text)| Value::of_name(column.kind, text)).collect();
    let Some(key) = key else { return Ok(None) };
    let found = light(tx, table, &where_key(table), &key).await?.into_iter().next();
    let code = found.and_then(|row| row.text("organization"));
    Ok(code.and_then(|code| OrganizationCode::parse(&code)).map(Whose::Organization))
}

/// On whom a row rests: by its key where that says it, else by what it names itself. `None` where it is nobody's, or
/// gone.
///
/// # Errors
/// The database failed.
pub async fn whose(tx: &mut Tx, name: &RowName) -> Result<Option<Whose>, StoreError> {
    let (first, second) = name.row.split_once(':').map_or((name.row.as_str(), None), |(one, two)| (one, Some(two)));
    if let Some(code) = OrganizationCode::parse(first) {
        return Ok(Some(Whose::Organization(code)));
    }
    let table = by_name(name.table);
    if let Some(table) = table
        && names_its_organization(table)
    {
        return by_its_organization(tx, table, &name.row).await;
    }
    let Ok(id) = Uuid::parse_str(first) else { return Ok(None) };
    let Some(table) = table else { return Ok(Some(Whose::Record(id))) };
    let (holder, column) = match (table.name, table.hangs_on) {
        ("disposals", _) => (table, "organization"),
        ("missing_notices", _) => (table, "issuer"),
        ("disposal_records", _) => return Ok(second.and_then(|id| Uuid::parse_str(id).ok()).map(Whose::Record)),
        // A file or provision has its record in its key; a transfer names it.
        (_, Some(("records", column))) if table.columns.first().is_some_and(|key| key.name != column) => {
            (table, column)
        }
        (_, Some(("missing_notices", _))) => match by_name("missing_notices") {
            Some(notices) => (notices, "issuer"),
            None => return Ok(None),
        },
        _ => return Ok(Some(Whose::Record(id))),
    };
    let found = light(tx, holder, BY_ID, &[id.into()]).await?.into_iter().next();
    let Some(row) = found else { return Ok(None) };
    Ok(match row.id(column) {
        Some(record) => Some(Whose::Record(record)),
        None => row.text(column).and_then(|code| OrganizationCode::parse(&code)).map(Whose::Organization),
    })
}
