//! The marks of rows as the ledger has them last.
//!
//! The last entry of each commit commits to the marks that it took away and made; they are kept beside it, sealed. What was
//! made and not taken away again is what the tables should hold, in whatever order the logs of several nodes are read. It is
//! believed where it adds up to the sums over the table: then nothing is missing from it, and nothing stands in it too much.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{
    guard::RowGuard,
    mark::{Mark, RowMove, split_word},
    name::RowName,
    sums::{Sum, Sums},
    table::MarkedTable,
};
use crate::store::{
    error::StoreError,
    tx::{Tx, fetch_all},
};

/// Entries read at a time.
const PAGE: i64 = 4_096;

/// One row as the ledger has it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChronicleRow {
    pub mark: Mark,
    /// Whose record it is.
    pub owner: Option<String>,
}

/// How often a mark was made, less how often it was taken away.
struct Balance {
    row: ChronicleRow,
    made: i64,
}

/// Every mark that the ledger tells of.
#[derive(Default)]
pub(crate) struct Chronicle {
    rows: HashMap<(u8, String), Vec<Balance>>,
    /// Entries beside which something else stands than they commit to.
    pub damaged: Vec<RowName>,
}

/// Of an entry, what it says of rows.
#[derive(serde::Deserialize)]
struct SaidOfRows<'a> {
    id: Uuid,
    #[serde(borrow)]
    rows: Option<&'a str>,
}

impl Chronicle {
    /// Reads the logs of all nodes. It takes about a minute for ten million entries: it is read where a sum is wrong, and by
    /// `tsunagi check`.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn read(tx: &mut Tx, guard: &RowGuard) -> Result<Self, StoreError> {
        let mut chronicle = Self::default();
        for node in Self::nodes(tx).await? {
            let mut next = Some(0);
            while let Some(from) = next {
                next = chronicle.read_page(tx, guard, &node, from).await?;
            }
        }
        Ok(chronicle)
    }

    /// The nodes that have logs.
    pub(crate) async fn nodes(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
        let nodes = fetch_all!(tx, (String,), "/* nodes_of_chronicle */ SELECT node FROM ledger_heads ORDER BY node")?;
        Ok(nodes.into_iter().map(|(node,)| node).collect())
    }

    /// Takes in a page of a node's log; returns from where the next begins.
    pub(crate) async fn read_page(
        &mut self,
        tx: &mut Tx,
        guard: &RowGuard,
        node: &str,
        from: i64,
    ) -> Result<Option<i64>, StoreError> {
        let page = fetch_all!(
            tx,
            (i64, Vec<u8>, Option<Vec<u8>>),
            "/* chronicle */ SELECT position, body, sealed_rows FROM ledger WHERE node = $1 AND position >= $2
             ORDER BY position LIMIT $3",
            node,
            from,
            PAGE,
        )?;
        for (position, body, sealed) in &page {
            if !self.take(guard, body, sealed.as_deref()) {
                self.damaged.push(RowName { table: "ledger", row: format!("{node}:{position}") });
            }
        }
        Ok(page.last().map(|(last, ..)| last + 1))
    }

    /// Takes in an entry; `false` where what stands beside it is not what it commits to.
    fn take(&mut self, guard: &RowGuard, body: &[u8], sealed: Option<&[u8]>) -> bool {
        let Ok(SaidOfRows { id, rows }) = serde_json::from_slice(body) else { return false };
        let Some(said) = rows else { return sealed.is_none() };
        let moves = split_word(said).and_then(|(_, moves)| guard.marker.open_moves(id, &moves, sealed));
        let is_there = moves.is_some();
        moves.into_iter().flatten().for_each(|moved| self.follow(moved));
        is_there
    }

    fn follow(&mut self, RowMove { table, row, old, new, owner }: RowMove) {
        let balances = self.rows.entry((table, row)).or_default();
        for (mark, made) in [(old, -1), (new, 1)] {
            let Some(mark) = mark else { continue };
            match balances.iter_mut().find(|balance| balance.row.mark == mark) {
                Some(balance) => balance.made += made,
                None => balances.push(Balance { row: ChronicleRow { mark, owner: owner.clone() }, made }),
            }
        }
        balances.retain(|balance| balance.made != 0);
    }

    /// What a table should hold, by the names of its rows; `None` where that is not what was written of the table.
    pub(crate) fn proven(
        &self,
        table: &'static MarkedTable,
        written: Sum,
        guard: &RowGuard,
    ) -> Option<BTreeMap<String, ChronicleRow>> {
        let (mut proven, mut sums) = (BTreeMap::new(), Sums::default());
        for ((_, name), balances) in self.rows.iter().filter(|((of, _), _)| *of == table.number) {
            match balances.as_slice() {
                [] => {}
                [Balance { row, made: 1 }] => {
                    sums.add(table, guard.marker.share(&row.mark));
                    proven.insert(name.clone(), row.clone());
                }
                _ => return None,
            }
        }
        (sums.of(table) == written).then_some(proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(row: &str, old: Option<u8>, new: Option<u8>) -> RowMove {
        let mark = |byte: u8| [byte; 16];
        RowMove { table: 6, row: row.to_owned(), old: old.map(mark), new: new.map(mark), owner: None }
    }

    #[test]
    fn what_was_made_and_not_taken_away_is_left_in_whatever_order() {
        let moves = [
            moved("a", None, Some(1)),
            moved("a", Some(1), Some(2)),
            // As it was before, and as it was then.
            moved("a", Some(2), Some(1)),
            moved("a", Some(1), Some(2)),
            moved("b", None, Some(3)),
            moved("b", Some(3), None),
        ];
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 2, 1, 4]] {
            let mut chronicle = Chronicle::default();
            order.into_iter().for_each(|at: usize| chronicle.follow(moves[at].clone()));
            let left: Vec<_> = chronicle.rows.iter().filter(|(_, balances)| !balances.is_empty()).collect();
            let [((6, name), balances)] = left.as_slice() else { panic!("{} are left", left.len()) };
            assert_eq!((name.as_str(), balances.len(), balances[0].made), ("a", 1, 1));
            assert_eq!(balances[0].row.mark, [2; 16]);
        }
    }
}
