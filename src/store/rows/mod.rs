//! Rows that decide something, authenticated: whoever has the database and no key cannot change, add, remove, swap or set
//! back one of them unseen (docs/decisions/0021-rows-that-decide.md).
//!
//! Comes in: a [`MarkedTable`](table::MarkedTable) and values. Goes out: a [`Row`](row::Row), which exists only where its mark was
//! right. Never done here: deciding what a row means.
//!
//! Each row has a *mark*, a keyed digest of everything in it. What hangs on a record, a notice or a list is bound into the
//! mark of that row too, as its *parts*. The *sums* over all marks of each table, sealed, move on with every commit, and an
//! entry of the ledger commits to them, and to the marks that its commit made and took away: from that the *chronicle* says
//! which row is wrong where a sum is. Memory *remembers* the marks of the rows that stand for themselves.

pub mod access;
pub(crate) mod chronicle;
pub mod guard;
pub mod mark;
pub mod name;
pub mod notes;
pub mod parts;
pub(crate) mod pinned;
pub mod remembered;
pub mod review;
pub mod row;
pub mod sums;
pub mod table;
pub mod tables;
pub mod trust;
pub mod whose;
pub mod wide;
pub mod written;
