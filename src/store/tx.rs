//! A transaction on either database, and the macros that run a statement on whichever it is.

use sqlx::{Postgres, Sqlite, Transaction};

use super::{error::StoreError, rows::notes::RowNotes};

/// A transaction on either database.
pub struct Tx {
    pub(crate) on: On,
    /// What it has done to rows that are authenticated.
    pub(crate) rows: RowNotes,
}

/// On which database a transaction is.
pub enum On {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// # Errors
    /// The commit failed, or its outcome is unknown.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.on {
            On::Sqlite(tx) => tx.commit().await?,
            On::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Runs a statement; returns the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.on {
            $crate::store::tx::On::Sqlite(tx) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::store::tx::On::Postgres(tx) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::store::error::StoreError::from)
    };
}

/// Fetches at most one row as a tuple.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.on {
            $crate::store::tx::On::Sqlite(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **tx).await
            }
            $crate::store::tx::On::Postgres(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **tx).await
            }
        }
        .map_err($crate::store::error::StoreError::from)
    };
}

/// Fetches every row as a tuple.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.on {
            $crate::store::tx::On::Sqlite(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(&mut **tx).await
            }
            $crate::store::tx::On::Postgres(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(&mut **tx).await
            }
        }
        .map_err($crate::store::error::StoreError::from)
    };
}

/// Rows in one statement of [`for_each_chunk!`].
pub(crate) const CHUNK: usize = 16;

/// Runs a statement for every sixteen items, and another for each that is left; `$bind` binds one item's columns.
macro_rules! for_each_chunk {
    ($tx:expr, $items:expr, $sixteen:expr, $one:expr, |$query:ident, $item:ident| $bind:expr) => {
        match &mut $tx.on {
            $crate::store::tx::On::Sqlite(tx) => for_each_chunk!(@on tx, $items, $sixteen, $one, $query, $item, $bind),
            $crate::store::tx::On::Postgres(tx) => for_each_chunk!(@on tx, $items, $sixteen, $one, $query, $item, $bind),
        }
    };
    (@on $tx:ident, $items:expr, $sixteen:expr, $one:expr, $query:ident, $item:ident, $bind:expr) => {{
        let mut items = $items.into_iter();
        while items.len() >= $crate::store::tx::CHUNK {
            let mut $query = sqlx::query($sixteen);
            for $item in items.by_ref().take($crate::store::tx::CHUNK) {
                $query = $bind;
            }
            $query.execute(&mut **$tx).await?;
        }
        for $item in items {
            let $query = sqlx::query($one);
            $bind.execute(&mut **$tx).await?;
        }
    }};
}

/// Inserts any number of rows by one statement of PostgreSQL: each column goes as an array, constants after them.
/// Returns how many rows it inserted.
macro_rules! insert_arrays {
    ($tx:expr, $sql:expr, $rows:expr, |$row:pat_param| [$($column:ident = $value:expr),+ $(,)?] $(, $constant:expr)* $(,)?) => {{
        $(let mut $column = Vec::new();)+
        for $row in $rows {
            $($column.push($value);)+
        }
        sqlx::query($sql)$(.bind($column))+$(.bind($constant))*.execute(&mut **$tx).await?.rows_affected()
    }};
}

pub(crate) use {execute, fetch_all, fetch_optional, for_each_chunk, insert_arrays};
