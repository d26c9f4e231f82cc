//! Reads rows and writes them: the one way to a table whose rows are authenticated, but for the statements of the hot paths,
//! which `tests/structure.rs` names.

use sqlx::{AssertSqlSafe, Row as _, postgres::PgRow, sqlite::SqliteRow};

use super::{
    guard::{RowGuard, mark_of},
    mark::Mark,
    parts,
    remembered::ReadWhen,
    row::{Row, Value, Values, name_of, name_of_key},
    table::{Column, ColumnKind, MarkedTable, Weight},
};
use crate::{
    planted::Planted,
    store::{
        error::StoreError,
        tx::{On, Tx},
    },
};

/// A row as it stands in the database, checked by nobody.
#[derive(Clone)]
pub(in crate::store) struct RawRow {
    pub(super) values: Values,
    pub(super) mark: Option<Vec<u8>>,
}

impl RawRow {
    /// Takes the row, if it is what the gateway wrote.
    ///
    /// # Errors
    /// [`StoreError::Refuted`].
    pub(in crate::store) fn checked(self, guard: &RowGuard) -> Result<Row, StoreError> {
        guard.check(self.values, self.mark.as_deref(), ReadWhen::AtSomeTime)
    }

    /// A text of the row, believed by nobody.
    pub(in crate::store) fn text(&self, column: &str) -> Option<String> {
        self.values.text(column).map(str::to_owned)
    }

    /// The same by its mark alone, whatever memory knows: one that was set back is taken too.
    ///
    /// # Errors
    /// As [`Self::checked`].
    pub(super) fn marked(self, guard: &RowGuard) -> Result<Row, StoreError> {
        guard.check_mark(self.values, self.mark.as_deref())
    }

    /// An id of the row, for going through a table in order.
    pub(in crate::store) fn id(&self, column: &str) -> Option<uuid::Uuid> {
        self.values.id(column)
    }
}

macro_rules! raw_row {
    ($name:ident, $row:ty) => {
        fn $name(table: &'static MarkedTable, row: &$row) -> Result<RawRow, sqlx::Error> {
            let mut values = Vec::with_capacity(table.columns.len());
            for (at, column) in table.columns.iter().enumerate() {
                values.push(match column.kind {
                    ColumnKind::Id => Value::read(row.try_get::<Option<uuid::Uuid>, _>(at))?,
                    ColumnKind::Text => Value::read(row.try_get::<Option<String>, _>(at))?,
                    ColumnKind::Int => Value::read(row.try_get::<Option<i64>, _>(at))?,
                    ColumnKind::Bytes => Value::read(row.try_get::<Option<Vec<u8>>, _>(at))?,
                });
            }
            let mark = mark_read(row.try_get(table.columns.len()))?;
            Ok(RawRow { values: Values { table, values }, mark })
        }
    };
}
raw_row!(raw_of_sqlite, SqliteRow);
raw_row!(raw_of_postgres, PgRow);

/// A mark as it was read; one of another type is none.
pub(super) fn mark_read(read: Result<Option<Vec<u8>>, sqlx::Error>) -> Result<Option<Vec<u8>>, sqlx::Error> {
    match read {
        Err(sqlx::Error::ColumnDecode { .. }) => Ok(None),
        read => read,
    }
}

/// Binds values to the parameters of a clause.
macro_rules! bind_clause {
    ($query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match value {
            Value::Null | Value::Undecodable => query.bind(None::<String>),
            Value::Id(id) => query.bind(*id),
            Value::Text(text) => query.bind(text.clone()),
            Value::Int(int) => query.bind(*int),
            Value::Bytes(bytes) => query.bind(bytes.clone()),
        })
    };
}

/// Binds the values of columns; an empty one with the type of its column.
macro_rules! bind_columns {
    ($query:expr, $columns:expr) => {
        $columns.fold($query, |query, (column, value): (&Column, &Value)| match column.kind {
            ColumnKind::Id => query.bind(value.as_id()),
            ColumnKind::Text => query.bind(value.as_text().map(str::to_owned)),
            ColumnKind::Int => query.bind(value.as_int()),
            ColumnKind::Bytes => query.bind(value.as_bytes().map(<[u8]>::to_vec)),
        })
    };
}

/// Rows of a table as they stand in the database.
pub(in crate::store) async fn raw(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &str,
    binds: &[Value],
) -> Result<Vec<RawRow>, StoreError> {
    select(tx, table, (&table.column_names(), clause), binds).await
}

/// The same without what is large: columns that the mark does not cover and that are no key are read as empty.
pub(in crate::store) async fn light(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &str,
    binds: &[Value],
) -> Result<Vec<RawRow>, StoreError> {
    let read = |column: &Column| match column.kind {
        ColumnKind::Bytes if !column.is_marked() => "NULL".to_owned(),
        _ => column.name.to_owned(),
    };
    let columns = table.columns.iter().map(read).collect::<Vec<_>>().join(", ");
    select(tx, table, (&columns, clause), binds).await
}

/// The same with keys and marks alone.
pub(super) async fn keyed(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &str,
    binds: &[Value],
) -> Result<Vec<RawRow>, StoreError> {
    let read = |column: &Column| if column.locates { column.name } else { "NULL" };
    let columns = table.columns.iter().map(read).collect::<Vec<_>>().join(", ");
    select(tx, table, (&columns, clause), binds).await
}

async fn select(
    tx: &mut Tx,
    table: &'static MarkedTable,
    (columns, clause): (&str, &str),
    binds: &[Value],
) -> Result<Vec<RawRow>, StoreError> {
    let name = table.name;
    let sql = AssertSqlSafe(format!("/* read_{name} */ SELECT {columns}, mark FROM {name} {clause}"));
    Ok(match &mut tx.on {
        On::Sqlite(tx) => {
            let rows = bind_clause!(sqlx::query(sql), binds).fetch_all(&mut **tx).await?;
            rows.iter().map(|row| raw_of_sqlite(table, row)).collect::<Result<_, _>>()?
        }
        On::Postgres(tx) => {
            let rows = bind_clause!(sqlx::query(sql), binds).fetch_all(&mut **tx).await?;
            rows.iter().map(|row| raw_of_postgres(table, row)).collect::<Result<_, _>>()?
        }
    })
}

/// Rows as they stand in the database, checked by nobody: for what authenticates itself, as wrapped keys do.
pub(crate) async fn raw_values(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &str,
) -> Result<Vec<Values>, StoreError> {
    Ok(raw(tx, table, clause, &[]).await?.into_iter().map(|raw| raw.values).collect())
}

/// Takes a row that was read by this or another statement, if it is what the gateway wrote.
///
/// # Errors
/// [`StoreError::Refuted`] names a row that is not.
pub(crate) fn checked(tx: &Tx, values: Values, mark: Option<&[u8]>) -> Result<Row, StoreError> {
    let guard = tx.rows.guard()?;
    if values.table.is_remembered
        && let Some(written) = tx.rows.written(values.table, &name_of(&values))
    {
        // This transaction wrote it, and memory does not know yet.
        let right = guard.marker.mark(&values);
        return match mark_of(mark) {
            Some(mark) if written == Some(mark) && mark == right => Ok(Row { values, mark }),
            _ => Err(guard.refute(values.table, name_of(&values))),
        };
    }
    guard.check(values, mark, tx.rows.when())
}

/// The row with this key, the values in the order of the table's key columns, where there is one.
///
/// # Errors
/// As [`all`]; a row that memory remembers and that is not there was removed behind the gateway.
pub(crate) async fn find(tx: &mut Tx, table: &'static MarkedTable, key: &[Value]) -> Result<Option<Row>, StoreError> {
    find_where(tx, table, &where_key(table), (key, key)).await
}

/// The same by a clause that finds it by more than its key, with its parameters.
pub(super) async fn find_where(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &str,
    (binds, key): (&[Value], &[Value]),
) -> Result<Option<Row>, StoreError> {
    match raw(tx, table, clause, binds).await?.into_iter().next() {
        Some(RawRow { values, mark }) => checked(tx, values, mark.as_deref()).map(Some),
        None => {
            check_absent(tx, table, name_of_key(key.iter()))?;
            Ok(None)
        }
    }
}

/// Takes that there is no row of a name, as far as memory knows.
pub(in crate::store) fn check_absent(tx: &Tx, table: &'static MarkedTable, name: String) -> Result<(), StoreError> {
    let guard = tx.rows.guard()?;
    match tx.rows.written(table, &name) {
        _ if !table.is_remembered || Planted::BelieveAbsence.is_planted() => Ok(()),
        Some(None) => Ok(()),
        Some(Some(_)) => Err(guard.refute(table, name)),
        None => guard.check_absent(table, name, tx.rows.when()),
    }
}

/// Rows of a table. The clause is a constant: `WHERE …`, with parameters from `$1`.
///
/// # Errors
/// The database failed; [`StoreError::Refuted`] names a row that is not what the gateway wrote.
pub(crate) async fn all(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &'static str,
    binds: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for raw in raw(tx, table, clause, binds).await? {
        rows.push(held(tx, raw).await?);
    }
    Ok(rows)
}

/// Takes a row, if it is what the gateway wrote, and still hangs where it says.
async fn held(tx: &mut Tx, RawRow { values, mark }: RawRow) -> Result<Row, StoreError> {
    let row = checked(tx, values, mark.as_deref())?;
    parts::hold(tx, &row).await?;
    Ok(row)
}

/// The same; rows that are not what the gateway wrote are noted and left out.
///
/// # Errors
/// The database failed.
pub(crate) async fn all_sound(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &'static str,
    binds: &[Value],
) -> Result<Vec<Row>, StoreError> {
    Ok(sound(tx, table, clause, binds).await?.rows)
}

/// Rows of a clause that are what the gateway wrote, and how many others there are.
#[derive(Default)]
pub(crate) struct SoundRows {
    pub rows: Vec<Row>,
    pub set_aside: usize,
}

/// As [`all_sound`], with the count of what is left out.
///
/// # Errors
/// The database failed.
pub(crate) async fn sound(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &'static str,
    binds: &[Value],
) -> Result<SoundRows, StoreError> {
    let rows = raw(tx, table, clause, binds).await?;
    sound_of(tx, rows).await
}

/// As [`sound`], without what is large: columns that the mark does not cover are read as empty.
///
/// # Errors
/// The database failed.
pub(crate) async fn sound_light(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &'static str,
    binds: &[Value],
) -> Result<SoundRows, StoreError> {
    let rows = light(tx, table, clause, binds).await?;
    sound_of(tx, rows).await
}

async fn sound_of(tx: &mut Tx, rows: Vec<RawRow>) -> Result<SoundRows, StoreError> {
    let mut sound = SoundRows::default();
    for raw in rows {
        match held(tx, raw).await {
            Ok(row) => sound.rows.push(row),
            Err(StoreError::Refuted(_)) => sound.set_aside += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(sound)
}

/// One row of a table, where there is one.
///
/// # Errors
/// As [`all`].
pub(crate) async fn one(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &'static str,
    binds: &[Value],
) -> Result<Option<Row>, StoreError> {
    Ok(all(tx, table, clause, binds).await?.into_iter().next())
}

/// The mark under which a row goes into the database, by this or by another statement, which writes it as well.
pub(crate) fn note_new(tx: &mut Tx, values: &Values) -> Result<Mark, StoreError> {
    if values.values.is_empty() {
        return Err(StoreError::Corrupt("a column that the table does not have"));
    }
    let guard = tx.rows.guard()?;
    let mark = guard.marker.mark(values);
    tx.rows.added(&guard, values, mark);
    Ok(mark)
}

/// Writes a new row.
pub(crate) async fn insert(tx: &mut Tx, values: Values) -> Result<(), StoreError> {
    parts::note_change(tx, &values).await?;
    let mark = note_new(tx, &values)?;
    let table = values.table;
    let places: Vec<String> = (1..=table.columns.len() + 1).map(|number| format!("${number}")).collect();
    let (name, columns) = (table.name, table.column_names());
    let sql = format!("/* insert_{name} */ INSERT INTO {name} ({columns}, mark) VALUES ({})", places.join(", "));
    let columns = table.columns.iter().zip(&values.values);
    match &mut tx.on {
        On::Sqlite(tx) => {
            let query = bind_columns!(sqlx::query(AssertSqlSafe(sql)), columns);
            query.bind(mark.to_vec()).execute(&mut **tx).await?;
        }
        On::Postgres(tx) => {
            let query = bind_columns!(sqlx::query(AssertSqlSafe(sql)), columns);
            query.bind(mark.to_vec()).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Writes a row that was read in this transaction anew. Its key stays; its place may change.
pub(crate) async fn replace(tx: &mut Tx, row: &Row, values: Values) -> Result<(), StoreError> {
    parts::note_change(tx, &row.values).await?;
    write_over(tx, row, values).await
}

/// The same of a row itself, whose parts are not concerned.
pub(super) async fn write_over(tx: &mut Tx, row: &Row, values: Values) -> Result<(), StoreError> {
    let table = values.table;
    if values.values.is_empty() || table != row.table() {
        return Err(StoreError::Corrupt("a column that the table does not have"));
    }
    let guard = tx.rows.guard()?;
    let mark = guard.marker.mark(&values);
    let changed: Vec<(&Column, &Value)> = table
        .columns
        .iter()
        .zip(&values.values)
        .zip(&row.values.values)
        .filter_map(|((column, new), old)| (new != old).then_some((column, new)))
        .collect();
    let set: String =
        (1..).zip(&changed).map(|(number, (column, _))| format!("{} = ${number}, ", column.name)).collect();
    let (name, found) = (table.name, where_located(table, changed.len() + 2, true));
    let sql = format!("/* replace_{name} */ UPDATE {name} SET {set}mark = ${} {found}", changed.len() + 1);
    macro_rules! run {
        ($tx:expr) => {{
            let query = bind_columns!(sqlx::query(AssertSqlSafe(sql)), changed.into_iter()).bind(mark.to_vec());
            let query = bind_columns!(query, locating(&row.values)).bind(row.mark.to_vec());
            query.execute(&mut **$tx).await?.rows_affected()
        }};
    }
    let done = match &mut tx.on {
        On::Sqlite(tx) => run!(tx),
        On::Postgres(tx) => run!(tx),
    };
    if done != 1 {
        return Err(StoreError::Outdated);
    }
    tx.rows.replaced(&guard, &values, (row.mark, mark));
    Ok(())
}

/// Removes a row that was read in this transaction.
pub(crate) async fn remove(tx: &mut Tx, row: &Row) -> Result<(), StoreError> {
    parts::note_change(tx, &row.values).await?;
    let guard = tx.rows.guard()?;
    let (name, found) = (row.table().name, where_located(row.table(), 1, true));
    let sql = format!("/* remove_{name} */ DELETE FROM {name} {found}");
    macro_rules! run {
        ($tx:expr) => {{
            let query = bind_columns!(sqlx::query(AssertSqlSafe(sql)), locating(&row.values)).bind(row.mark.to_vec());
            query.execute(&mut **$tx).await?.rows_affected()
        }};
    }
    let done = match &mut tx.on {
        On::Sqlite(tx) => run!(tx),
        On::Postgres(tx) => run!(tx),
    };
    if done != 1 {
        return Err(StoreError::Outdated);
    }
    tx.rows.removed(&guard, &row.values, row.mark);
    Ok(())
}

/// Removes every row of a clause; returns how many there were.
pub(crate) async fn remove_all(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &'static str,
    binds: &[Value],
) -> Result<u64, StoreError> {
    let mut rows = Vec::new();
    for raw in light(tx, table, clause, binds).await? {
        rows.push(held(tx, raw).await?);
    }
    if rows.is_empty() {
        return Ok(0);
    }
    for row in &rows {
        parts::note_change(tx, &row.values).await?;
    }
    let guard = tx.rows.guard()?;
    let name = table.name;
    let sql = format!("/* remove_{name} */ DELETE FROM {name} {clause}");
    let done = match &mut tx.on {
        On::Sqlite(tx) => {
            bind_clause!(sqlx::query(AssertSqlSafe(sql)), binds).execute(&mut **tx).await?.rows_affected()
        }
        On::Postgres(tx) => {
            bind_clause!(sqlx::query(AssertSqlSafe(sql)), binds).execute(&mut **tx).await?.rows_affected()
        }
    };
    rows.iter().for_each(|row| tx.rows.removed(&guard, &row.values, row.mark));
    if done == rows.len() as u64 { Ok(done) } else { Err(StoreError::Outdated) }
}

/// Removes every row of a clause that is what the gateway wrote. One that is not stays where it is, set aside: what takes
/// something away is not stopped by it.
pub(crate) async fn remove_sound(
    tx: &mut Tx,
    table: &'static MarkedTable,
    clause: &'static str,
    binds: &[Value],
) -> Result<(), StoreError> {
    for row in all_sound(tx, table, clause, binds).await? {
        remove(tx, &row).await?;
    }
    Ok(())
}

/// Writes a row anew, or for the first time.
pub(crate) async fn put(tx: &mut Tx, row: Option<&Row>, values: Values) -> Result<(), StoreError> {
    match row {
        Some(row) => replace(tx, row, values).await,
        None => insert(tx, values).await,
    }
}

/// By what a row is found again: its key, its place, and its mark where it has one. The first parameter has this number.
pub(super) fn where_located(table: &MarkedTable, first: usize, is_marked: bool) -> String {
    let located = table.columns.iter().filter(|column| column.locates).map(|column| column.name);
    let names: Vec<&str> = located.chain(is_marked.then_some("mark")).collect();
    let equal = |(name, number): (&&str, usize)| format!("{name} = ${number}");
    format!("WHERE {}", names.iter().zip(first..).map(equal).collect::<Vec<_>>().join(" AND "))
}

/// What finds a row by its key.
pub(super) fn where_key(table: &MarkedTable) -> String {
    let keys = table.columns.iter().filter(|column| column.weight == Weight::Key);
    let equal = |(column, number): (&Column, usize)| format!("{} = ${number}", column.name);
    format!("WHERE {}", keys.zip(1..).map(equal).collect::<Vec<_>>().join(" AND "))
}

/// The values by which a row is found again, without its mark.
pub(super) fn locating(values: &Values) -> impl Iterator<Item = (&'static Column, &Value)> {
    values.table.columns.iter().zip(&values.values).filter(|(column, _)| column.locates)
}
