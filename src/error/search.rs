//! Refusals of a search.

use super::problem::Problem;

/// Why a search is not answered.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("search too broad")]
    TooBroad,
    #[error("too many hits")]
    TooManyHits { max_hits: usize },
    #[error("search budget used up")]
    Budget { retry_after_seconds: u64 },
}

impl SearchError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::TooBroad => {
                Problem::new(422, "search_too_broad", "検索条件が不足しています", "Too little to search on").with(
                    "氏名の連続する2文字以上、または氏名の1文字以上と生年月日を指定してください。",
                    "Give two characters of a name side by side, or one and a birth date.",
                )
            }
            Self::TooManyHits { max_hits } => {
                Problem::new(422, "too_many_hits", "該当する児童が多すぎます", "Too many children match").with(
                    format!("該当が{max_hits}件を超えました。氏名や生年月日を加えて絞り込んでください。"),
                    format!("More than {max_hits}. Narrow down by more of the name or a birth date."),
                )
            }
            Self::Budget { retry_after_seconds } => Problem::new(
                429,
                "search_budget",
                "検索の回数が上限に達しました",
                "The allowance of searches is used up",
            )
            .with(
                format!("{retry_after_seconds}秒待ってからやり直してください。開示は行われていません。"),
                format!("Try again after {retry_after_seconds} seconds. Nothing was disclosed."),
            ),
        }
    }
}
