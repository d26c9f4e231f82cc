//! Rows of several tables by one statement: the columns of each stand in places of their own kind.

use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    access::{RawRow, mark_read},
    row::{Value, Values},
    table::{ColumnKind, MarkedTable},
    tables,
};

/// Places of each kind: as many as any table of a statement has columns of it.
const PLACES: [(ColumnKind, &str, usize); 4] = [
    (ColumnKind::Id, "UUID", 2),
    (ColumnKind::Text, "TEXT", 5),
    (ColumnKind::Int, "BIGINT", 10),
    (ColumnKind::Bytes, "BYTEA", 3),
];

/// One table of a statement.
pub struct Arm {
    table: &'static MarkedTable,
    clause: &'static str,
    /// A column that is not read; the mark does not cover it.
    without: Option<&'static str>,
}

impl Arm {
    /// Whole rows.
    pub const fn rows(table: &'static MarkedTable, clause: &'static str) -> Self {
        Self { table, clause, without: None }
    }

    pub const fn without(mut self, column: &'static str) -> Self {
        self.without = Some(column);
        self
    }

    fn select(&self) -> String {
        let mut sql = format!("SELECT CAST({} AS BIGINT) AS of_table", self.table.number);
        for (kind, cast, places) in PLACES {
            let columns = self.table.columns.iter().filter(|column| column.kind == kind);
            let columns: Vec<&str> = columns.map(|column| column.name).collect();
            for place in 0..places {
                let column = columns.get(place).filter(|column| Some(**column) != self.without);
                sql += &match column {
                    Some(column) => format!(", {column}"),
                    None => format!(", CAST(NULL AS {cast})"),
                };
                sql += &format!(" AS {cast}{place}");
            }
        }
        format!("{sql}, mark FROM {} {}", self.table.name, self.clause)
    }
}

/// The statement that reads the tables at once.
pub fn union_of<'a>(name: &str, arms: impl Iterator<Item = &'a Arm>) -> String {
    format!("/* {name} */ {}", arms.map(Arm::select).collect::<Vec<_>>().join(" UNION ALL "))
}

/// A row of such a statement.
pub(in crate::store) struct WideRow(pub(in crate::store) RawRow);

macro_rules! wide_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for WideRow {
            fn from_row(row: &'r $row) -> Result<Self, sqlx::Error> {
                let number: i64 = row.try_get(0)?;
                let mark = mark_read(row.try_get(1 + PLACES.iter().map(|(.., places)| places).sum::<usize>()))?;
                let table = tables::ALL.into_iter().find(|table| i64::from(table.number) == number);
                let table = table.ok_or_else(|| sqlx::Error::Protocol("a row of no table".to_owned()))?;
                let mut taken = [0; PLACES.len()];
                let mut values = Vec::with_capacity(table.columns.len());
                for column in table.columns {
                    let mut first = 1;
                    for ((kind, _, places), taken) in PLACES.iter().zip(&mut taken) {
                        if *kind == column.kind {
                            let at: usize = first + *taken;
                            *taken += 1;
                            values.push(match kind {
                                ColumnKind::Id => Value::read(row.try_get::<Option<Uuid>, _>(at))?,
                                ColumnKind::Text => Value::read(row.try_get::<Option<String>, _>(at))?,
                                ColumnKind::Int => Value::read(row.try_get::<Option<i64>, _>(at))?,
                                ColumnKind::Bytes => Value::read(row.try_get::<Option<Vec<u8>>, _>(at))?,
                            });
                        }
                        first += places;
                    }
                }
                Ok(Self(RawRow { values: Values { table, values }, mark }))
            }
        }
    };
}
wide_row!(SqliteRow);
wide_row!(PgRow);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_is_read_so_has_room() {
        use super::super::tables::{RECORD_VERSIONS, RECORDS, parts_of};
        for table in [&RECORDS, &RECORD_VERSIONS].into_iter().chain(parts_of(&RECORDS)) {
            for (kind, _, places) in PLACES {
                let columns = table.columns.iter().filter(|column| column.kind == kind).count();
                assert!(columns <= places, "{}: {columns} {kind:?}", table.name);
            }
        }
    }
}
