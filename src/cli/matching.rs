//! `tsunagi match`: why names meet, or do not.

use clap::Subcommand;

use crate::{
    cli::error::CommandError,
    search::{
        explain::{Explanation, explain},
        pattern::Rank,
    },
};

/// Commands about the matching of names.
#[derive(Subcommand)]
pub enum MatchCommand {
    /// Print the search keys of a fragment and of names, and how well each name answers.
    Explain {
        /// A fragment of a name as a searcher writes it; `?` and `*` stand for unknown letters.
        fragment: String,
        /// Names as they are registered; without any, the fragment itself.
        names: Vec<String>,
    },
}

impl MatchCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The fragment holds no letter.
    pub fn run(self) -> Result<(), CommandError> {
        let Self::Explain { fragment, mut names } = self;
        if names.is_empty() {
            names.push(fragment.clone());
        }
        for (number, name) in names.iter().enumerate() {
            let explanation = explain(&fragment, name);
            if explanation.asked.iter().all(String::is_empty) {
                return Err(CommandError::Unexpected(format!(
                    "{fragment}: 検索に使える文字がありません / holds no letter"
                )));
            }
            if number == 0 {
                explanation.asked.iter().for_each(|key| say!("{fragment}\tasks for\t{key}"));
            }
            explanation.kept.iter().for_each(|key| say!("{name}\tis kept as\t{key}"));
            say!("{name}\t{}", verdict(&explanation));
        }
        Ok(())
    }
}

fn verdict(explanation: &Explanation) -> String {
    let Some(rank) = explanation.rank else {
        return format!("does not meet: {}", difference(explanation));
    };
    let how = match rank {
        Rank::Exact => "the whole name",
        Rank::WholeName => "the whole family or given name",
        Rank::Prefix => "the beginning of the name or of a part",
        Rank::Fragment => "within the name",
        Rank::NearMiss => "one kana wrong, missing or too many: shown apart from the hits",
    };
    format!("meets: {how}")
}

/// Where the fragment's first key stops being found.
fn difference(explanation: &Explanation) -> String {
    let letters = |key: &str| key.chars().filter(|letter| *letter != ' ').collect::<String>();
    let Some(asked) = explanation.asked.first().map(|key| letters(key)) else { return "nothing is asked".to_owned() };
    if asked.contains(['?', '*']) {
        return "no place in any key fits the fragment".to_owned();
    }
    let kept: Vec<String> = explanation.kept.iter().map(|key| letters(key)).collect();
    let found = |prefix: &str| kept.iter().any(|key| key.contains(prefix));
    let ends = asked.char_indices().map(|(at, letter)| at + letter.len_utf8());
    let longest = ends.filter_map(|end| asked.get(..end)).take_while(|prefix| found(prefix)).last();
    match longest.and_then(|prefix| Some((prefix, asked.strip_prefix(prefix)?.chars().next()?))) {
        Some((prefix, next)) => format!("{prefix} is there, but {next} does not follow it"),
        None if longest.is_some() => "the letters are there, but not divided as asked".to_owned(),
        None => format!("{} is in no key", asked.chars().take(1).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_names_meet_or_do_not() {
        for (fragment, name, expected) in [
            ("高崎", "髙﨑　花", "meets: the whole family or given name"),
            ("髙﨑", "タカサキ　ハナ", "does not meet: 高 is in no key"),
            ("たかざき はな", "タカサキ　ハナ", "meets: the whole name"),
            ("高木", "高崎　花", "does not meet: 高 is there, but 木 does not follow it"),
            ("花 高崎", "高崎　花", "does not meet: 花 is there, but 高 does not follow it"),
            ("高?木", "高崎　花", "does not meet: no place in any key fits the fragment"),
            ("タカサギリ", "タカサキ", "meets: one kana wrong, missing or too many: shown apart from the hits"),
        ] {
            assert_eq!(verdict(&explain(fragment, name)), expected, "{fragment} {name}");
        }
    }
}
