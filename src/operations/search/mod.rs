//! National search (全国検索).

pub mod search_nationwide;
