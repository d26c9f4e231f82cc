//! Whose a row is that is not what the gateway wrote. What it says is believed by nobody: it only says who has to look.

use uuid::Uuid;

use super::{access::light, name::RowName, tables::by_name};
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

/// On whom a row rests: by its key where that says it, else by what it names itself. `None` where it is nobody's, or
/// gone.
///
/// # Errors
/// The database failed.
pub async fn whose(tx: &mut Tx, name: &RowName) -> Result<Option<Whose>, StoreError> {
    let (first, second) = name.row.split_once(':').map_or((name.row.as_str(), None), |(one, two)| (one, Some(two)));
    let Ok(id) = Uuid::parse_str(first) else {
        return Ok(OrganizationCode::parse(first).map(Whose::Organization));
    };
    let Some(table) = by_name(name.table) else { return Ok(Some(Whose::Record(id))) };
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
