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
                    "氏名を続けて2文字以上入力してください。全国検索では、氏名1文字以上と生年月日（年齢）でも検索できます。",
                    "Enter two characters of a name side by side. In the national search, one and a birth date (or age) will do.",
                )
            }
            Self::TooManyHits { max_hits } => {
                Problem::new(422, "too_many_hits", "該当する児童が多すぎます", "Too many children match").with(
                    format!("該当が{max_hits}件を超えました。氏名をもっと長く入力してください。全国検索では、生年月日を加えて絞り込むこともできます。"),
                    format!("More than {max_hits}. Enter more of the name. In the national search, a birth date narrows it down too."),
                )
            }
            Self::Budget { retry_after_seconds } => Problem::new(
                429,
                "search_budget",
                "検索の回数が上限に達しました",
                "The allowance of searches is used up",
            )
            .with(
                format!("{retry_after_seconds}秒待ってから、もう一度検索してください。急ぐときは監督者に連絡してください。検索は行われていません。"),
                format!("Try again after {retry_after_seconds} seconds. Nothing was disclosed."),
            ),
        }
    }
}
