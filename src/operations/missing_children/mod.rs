//! Missing-child notices (行方不明児童, CA情報).

pub mod announce_missing_child;
pub mod answer_missing_notice;
pub mod list_missing_notices;
pub mod view_missing_notice;
