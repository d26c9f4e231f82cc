//! A row whose mark was right, and the values of one that is to be written.

use uuid::Uuid;

use super::{
    mark::Mark,
    table::{ColumnKind, MarkedTable, Weight},
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode, store::error::StoreError};

/// What a column holds in one row. No `Debug`: it may be a name, sealed or not.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Id(Uuid),
    Text(String),
    Int(i64),
    Bytes(Vec<u8>),
    /// Something else than what the column is for. No row with it has a right mark.
    Undecodable,
}

impl Value {
    /// A value of a key as a row's name has it.
    pub(super) fn of_name(kind: ColumnKind, text: &str) -> Option<Self> {
        Some(match kind {
            ColumnKind::Id => Self::Id(Uuid::parse_str(text).ok()?),
            ColumnKind::Text => Self::Text(text.to_owned()),
            ColumnKind::Int => Self::Int(text.parse().ok()?),
            ColumnKind::Bytes => Self::Bytes(data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?),
        })
    }

    /// What was read of a column.
    pub(super) fn read<T>(read: Result<Option<T>, sqlx::Error>) -> Result<Self, sqlx::Error>
    where
        Self: From<Option<T>>,
    {
        match read {
            Ok(value) => Ok(value.into()),
            Err(sqlx::Error::ColumnDecode { .. }) => Ok(Self::Undecodable),
            Err(error) => Err(error),
        }
    }

    pub(super) fn as_id(&self) -> Option<Uuid> {
        if let Self::Id(id) = self { Some(*id) } else { None }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }

    pub(super) fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

macro_rules! value_from {
    ($($type:ty => |$given:ident| $value:expr),+ $(,)?) => {
        $(impl From<$type> for Value {
            fn from($given: $type) -> Self {
                $value
            }
        })+
    };
}
value_from! {
    Uuid => |id| Self::Id(id),
    &str => |text| Self::Text(text.to_owned()),
    String => |text| Self::Text(text),
    &OrganizationCode => |code| Self::Text(code.to_string()),
    i64 => |int| Self::Int(int),
    bool => |flag| Self::Int(i64::from(flag)),
    Timestamp => |at| Self::Int(at.as_micros()),
    Vec<u8> => |bytes| Self::Bytes(bytes),
    &[u8] => |bytes| Self::Bytes(bytes.to_vec()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of a row that is to be written; a column that is not set is empty.
#[derive(Clone)]
pub struct Values {
    pub(super) table: &'static MarkedTable,
    pub(super) values: Vec<Value>,
}

impl Values {
    pub fn of(table: &'static MarkedTable) -> Self {
        Self { table, values: vec![Value::Null; table.columns.len()] }
    }

    /// Sets a column. One that the table does not have makes the row unwritable, which a test meets at once.
    pub fn set(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        match self.table.position(column).and_then(|position| self.values.get_mut(position)) {
            Some(place) => *place = value.into(),
            None => self.values.clear(),
        }
        self
    }
}

impl Values {
    fn value(&self, column: &str) -> Option<&Value> {
        self.table.position(column).and_then(|position| self.values.get(position))
    }

    /// What a column holds, where it is that.
    pub fn id(&self, column: &str) -> Option<Uuid> {
        self.value(column)?.as_id()
    }

    pub fn text(&self, column: &str) -> Option<&str> {
        self.value(column)?.as_text()
    }

    pub fn int(&self, column: &str) -> Option<i64> {
        self.value(column)?.as_int()
    }

    pub fn bytes(&self, column: &str) -> Option<&[u8]> {
        self.value(column)?.as_bytes()
    }

    /// How many bytes the mark covers, of the values alone.
    pub fn marked_bytes(&self) -> usize {
        let marked = self.table.columns.iter().zip(&self.values).filter(|(column, _)| column.is_marked());
        let length = |value: &Value| match value {
            Value::Null | Value::Undecodable => 0,
            Value::Id(_) => 16,
            Value::Int(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        };
        marked.map(|(_, value)| length(value)).sum()
    }
}

/// A row as it was read. It exists only where its mark was right.
pub struct Row {
    pub(super) values: Values,
    pub(super) mark: Mark,
}

/// What a column holds: of each kind, and of each that may be empty.
macro_rules! accessors {
    ($(|$row:ident, $column:ident| $name:ident -> $type:ty { $value:expr })+) => {
        impl Row {
            $(
                /// What a column holds.
                ///
                /// # Errors
                /// The table has no such column, or it holds something else.
                pub fn $name(&self, $column: &'static str) -> Result<$type, StoreError> {
                    let $row = self;
                    $value
                }
            )+
        }
    };
}
accessors! {
    |row, column| id -> Uuid { row.value(column)?.as_id().ok_or(StoreError::Corrupt(column)) }
    |row, column| text -> &str { row.value(column)?.as_text().ok_or(StoreError::Corrupt(column)) }
    |row, column| int -> i64 { row.value(column)?.as_int().ok_or(StoreError::Corrupt(column)) }
    |row, column| bytes -> &[u8] { row.value(column)?.as_bytes().ok_or(StoreError::Corrupt(column)) }
    |row, column| flag -> bool { Ok(row.int(column)? != 0) }
    |row, column| at -> Timestamp { Ok(Timestamp::from_micros(row.int(column)?)) }
    |row, column| code -> OrganizationCode { OrganizationCode::parse(row.text(column)?).ok_or(StoreError::Corrupt(column)) }
    |row, column| optional_id -> Option<Uuid> { Ok(row.value(column)?.as_id()) }
    |row, column| optional_text -> Option<&str> { Ok(row.value(column)?.as_text()) }
    |row, column| optional_int -> Option<i64> { Ok(row.value(column)?.as_int()) }
    |row, column| optional_bytes -> Option<&[u8]> { Ok(row.value(column)?.as_bytes()) }
    |row, column| optional_at -> Option<Timestamp> { Ok(row.optional_int(column)?.map(Timestamp::from_micros)) }
}

impl Row {
    fn value(&self, column: &'static str) -> Result<&Value, StoreError> {
        self.values.value(column).ok_or(StoreError::Corrupt(column))
    }

    /// Its values, to be changed and written again.
    pub fn values(&self) -> Values {
        self.values.clone()
    }

    pub fn mark(&self) -> Mark {
        self.mark
    }

    pub fn table(&self) -> &'static MarkedTable {
        self.values.table
    }
}

/// The name of a row: the values of its key, ids and codes.
pub(super) fn name_of(values: &Values) -> String {
    let keys = values.table.columns.iter().zip(&values.values).filter(|(column, _)| {
        // The position of a message is part of its key, and not of its mark.
        column.weight == Weight::Key || (column.locates && matches!(column.kind, ColumnKind::Int))
    });
    name_of_key(keys.map(|(_, value)| value))
}

/// The same of the values of a key.
pub(super) fn name_of_key<'v>(key: impl Iterator<Item = &'v Value>) -> String {
    let text = |value: &Value| match value {
        // Of no row that the gateway wrote.
        Value::Null => "null".to_owned(),
        Value::Id(id) => id.to_string(),
        Value::Text(text) => text.clone(),
        Value::Int(int) => int.to_string(),
        Value::Bytes(bytes) => data_encoding::HEXLOWER.encode(bytes),
        Value::Undecodable => "?".to_owned(),
    };
    key.map(text).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An operator who reads of a row with an empty name does not know that its key is what was emptied.
    #[test]
    fn a_row_whose_key_was_emptied_has_a_name() {
        assert_eq!(name_of_key([Value::Null].iter()), "null");
        assert_eq!(name_of_key([Value::Text("011002".to_owned()), Value::Null].iter()), "011002:null");
    }
}
