//! Tables as CSV (RFC 4180), for spreadsheets.

use crate::disclosure::done::Table;

/// Writes a table: UTF-8 with a byte order mark, so that spreadsheets know it.
pub fn write(table: &Table) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer("\u{FEFF}".as_bytes().to_vec());
    // A vector takes every byte, and a row of any length is a row: nothing is left out.
    let _ = writer.write_record(table.columns);
    for row in &table.rows {
        let _ = writer.write_record(row);
    }
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::disclosure::done::Table;

    #[test]
    fn a_table_is_quoted_where_it_must_be_and_loses_no_row() {
        let rows = [vec!["架空,市", "一\"二"], vec!["三\r\n四", ""], vec!["短い"]];
        let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect()).to_vec();
        let text = String::from_utf8(write(&Table { columns: &["名称", "備考"], rows })).unwrap();
        assert_eq!(text, "\u{FEFF}名称,備考\r\n\"架空,市\",\"一\"\"二\"\r\n\"三\r\n四\",\r\n短い\r\n");
    }
}
