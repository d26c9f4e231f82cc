//! A fragment of a name, as a searcher writes it, and how well a name answers it.

use std::collections::BTreeSet;

use super::{
    fold::{FoldedName, FoldedQuery, fold_query},
    grams,
    near::{Readings, Target},
    symbol::{Symbol, unpack},
};
use crate::domain::case_record::NameForm;

/// How well a name answers a fragment; better ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The whole name.
    Exact,
    /// The whole family or given name.
    WholeName,
    Prefix,
    Fragment,
    /// One kana wrong, missing or too many.
    NearMiss,
}

/// A folded fragment with its unknown parts: `?` one letter, `*` any run.
#[derive(Clone)]
pub struct Pattern {
    /// As the searcher wrote it, without spaces.
    written: String,
    /// One for each way the folding rules leave open.
    readings: Vec<PatternReading>,
}

/// One reading: the pieces as spaces divide them, and the same run together.
#[derive(Clone)]
pub(super) struct PatternReading {
    pieces: Vec<Glob>,
    /// Folded before or after they were run together.
    joined: Vec<Glob>,
    /// In Latin letters, where either name may come first.
    latin: bool,
}

/// Letters between runs of unknown length.
#[derive(Clone)]
struct Glob(Vec<Vec<Symbol>>);

/// Where a glob has to match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchor {
    Whole,
    Start,
    Anywhere,
}

/// A name's key, unpacked: its letters and where its parts begin and end.
#[derive(Default)]
pub struct Unpacked {
    letters: Vec<Symbol>,
    parts: Vec<(usize, usize)>,
}

impl Unpacked {
    /// Reads a packed key in place of the one that was here.
    pub fn read(&mut self, packed: &[u8]) {
        self.letters.clear();
        self.parts.clear();
        let mut start = 0;
        for symbol in unpack(packed) {
            if symbol == Symbol::BOUNDARY {
                self.parts.push((start, self.letters.len()));
                start = self.letters.len();
            } else {
                self.letters.push(symbol);
            }
        }
        self.parts.push((start, self.letters.len()));
    }

    /// Number of letters.
    pub fn length(&self) -> usize {
        self.letters.len()
    }

    /// Whether whole parts of it, side by side, are those of a target.
    pub fn holds(&self, target: &Target) -> bool {
        let parts: Vec<&[Symbol]> = self.parts().collect();
        parts.windows(target.len()).any(|window| window.iter().zip(target).all(|(part, wanted)| part == wanted))
    }

    fn parts(&self) -> impl Iterator<Item = &[Symbol]> {
        self.parts.iter().filter_map(|(start, end)| self.letters.get(*start..*end))
    }
}

/// Pieces of one query that are matched apart; more are matched run together alone.
const MAX_PIECES: usize = 6;

impl Pattern {
    /// Reads a fragment. `None` where no letter is left of it.
    pub fn of(text: &str) -> Option<Self> {
        let readings: Vec<PatternReading> = fold_query(text).into_iter().map(PatternReading::new).collect();
        let written = text.split_whitespace().collect();
        let pattern = Self { written, readings };
        (pattern.letters() > 0).then_some(pattern)
    }

    /// Known letters: what is really there to search on.
    fn letters(&self) -> usize {
        self.readings.first().map_or(0, |reading| reading.pieces.iter().flat_map(Glob::known).count())
    }

    /// Whether few enough names can answer to look at each: it holds two known letters side by side, or two kanji.
    pub fn narrows_down(&self) -> bool {
        self.readings.iter().all(|reading| {
            reading.ways().all(|runs| {
                let kanji: BTreeSet<&Symbol> =
                    runs.iter().copied().flatten().filter(|letter| !letter.is_light()).collect();
                runs.iter().any(|run| run.len() > 1) || kanji.len() > 1
            })
        })
    }

    /// Whether it asks for one run of letters as long as a gram, so that whoever has the gram answers it. A vowel may
    /// stand for a long one, and whether it does is seen in the name alone.
    pub(super) fn is_one_gram(&self) -> bool {
        let [PatternReading { pieces, joined, .. }] = self.readings.as_slice() else { return false };
        let ([Glob(piece)], [_]) = (pieces.as_slice(), joined.as_slice()) else { return false };
        let [run] = piece.as_slice() else { return false };
        grams::is_gram(run)
            && run.iter().all(|letter| !letter.is_wildcard())
            && !run.iter().any(|letter| letter.is_vowel())
    }

    /// Whether a name holds it letter by letter, before any folding.
    pub fn is_written_in(&self, name: &str) -> bool {
        let from = |at: usize| name.get(at..).unwrap_or_default().chars().filter(|letter| !letter.is_whitespace());
        name.char_indices().any(|(at, _)| {
            let mut letters = from(at);
            self.written.chars().all(|asked| letters.next() == Some(asked))
        })
    }

    /// The letters run together, as one reading has them: what distinguishes one name asked for from another.
    pub fn name(&self) -> Vec<Symbol> {
        self.readings
            .first()
            .map(|reading| reading.pieces.iter().flat_map(|piece| piece.0.concat()).collect())
            .unwrap_or_default()
    }

    /// Whether it is, or begins with, the family name of a name that is written with a space. A family name of one
    /// letter has to stand by itself: 林 is not in 林田.
    pub fn begins_with_family_name(&self, name: &str) -> bool {
        let family = name.split_whitespace().next().and_then(Self::of);
        let Some([PatternReading { pieces: own, .. }]) = family.as_ref().map(|family| family.readings.as_slice())
        else {
            return false;
        };
        let [Glob(own)] = own.as_slice() else { return false };
        let own = own.concat();
        self.readings.iter().filter_map(|reading| reading.pieces.first()).any(|Glob(first)| {
            let first = first.concat();
            first == own || own.len() > 1 && first.starts_with(&own)
        })
    }

    /// What one kana wrong, missing or too many in it may have meant.
    pub fn targets(&self, readings: &Readings) -> Vec<Target> {
        let pieces = self.readings.iter().filter_map(PatternReading::kana_pieces);
        let mut targets: Vec<Target> = pieces.flat_map(|pieces| readings.targets(&pieces)).collect();
        // In an order that does not tell which reading was registered first, or by whom: names of one part before
        // divided ones, of which few records hold any.
        targets.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        targets.dedup();
        targets
    }

    pub(super) fn readings(&self) -> &[PatternReading] {
        &self.readings
    }

    /// The best rank of a name, if it answers at all.
    pub fn rank(&self, name: &Unpacked) -> Option<Rank> {
        self.readings.iter().filter_map(|reading| reading.rank(name)).min()
    }

    /// The best rank among the forms of one person, and the form that gave it.
    pub fn best(&self, names: &[FoldedName]) -> Option<(Rank, NameForm)> {
        let mut unpacked = Unpacked::default();
        let mut best = None;
        for name in names {
            for key in &name.keys {
                unpacked.read(key);
                let this = self.rank(&unpacked).map(|rank| (rank, name.form));
                best = [best, this].into_iter().flatten().min();
            }
        }
        best
    }
}

impl PatternReading {
    fn new(query: FoldedQuery) -> Self {
        let FoldedQuery { pieces, whole } = query;
        let latin = whole.iter().all(|symbol| symbol.is_light() && !symbol.is_kana());
        let mut joined = vec![pieces.concat(), whole];
        joined.dedup();
        let globs = |texts: Vec<Vec<Symbol>>| texts.iter().map(|text| Glob::of(text)).collect();
        Self { pieces: globs(pieces), joined: globs(joined), latin }
    }

    fn joined_matches(&self, name: &Unpacked, anchor: Anchor) -> bool {
        self.joined.iter().any(|joined| joined.matches(&name.letters, anchor))
    }

    /// The runs of letters that every answer holds, each in one piece: those of the pieces or, where the name folded
    /// run together comes to something else, those of the whole.
    pub(super) fn ways(&self) -> impl Iterator<Item = Vec<&[Symbol]>> {
        let whole = self.joined.get(1).map(std::slice::from_ref);
        [Some(self.pieces.as_slice()), whole].into_iter().flatten().map(|globs| {
            let segments = globs.iter().flat_map(|glob| &glob.0);
            let runs = segments.flat_map(|segment| segment.split(|symbol| *symbol == Symbol::ONE));
            runs.filter(|run| !run.is_empty()).collect()
        })
    }

    /// The pieces, where they hold kana alone and nothing unknown.
    fn kana_pieces(&self) -> Option<Vec<&[Symbol]>> {
        self.pieces
            .iter()
            .map(|piece| match piece.0.as_slice() {
                [only] if only.iter().all(|symbol| symbol.is_kana()) => Some(only.as_slice()),
                _ => None,
            })
            .collect()
    }

    fn rank(&self, name: &Unpacked) -> Option<Rank> {
        if self.joined_matches(name, Anchor::Whole) {
            return Some(Rank::Exact);
        }
        if let [piece] = self.pieces.as_slice() {
            if !piece.matches(&name.letters, Anchor::Anywhere) {
                return None;
            }
            if name.parts().any(|part| piece.matches(part, Anchor::Whole)) {
                return Some(Rank::WholeName);
            }
            let starts = |letters: &[Symbol]| piece.matches(letters, Anchor::Start);
            return Some(if starts(&name.letters) || name.parts().any(starts) { Rank::Prefix } else { Rank::Fragment });
        }
        if self.spread(name, Anchor::Whole) {
            // Every part is accounted for, or some are left over.
            return Some(if self.pieces.len() == name.parts.len() { Rank::Exact } else { Rank::WholeName });
        }
        if self.joined_matches(name, Anchor::Start) || self.spread(name, Anchor::Start) {
            return Some(Rank::Prefix);
        }
        let anywhere = self.joined_matches(name, Anchor::Anywhere) || self.spread(name, Anchor::Anywhere);
        anywhere.then_some(Rank::Fragment)
    }

    /// Whether each piece has a part of its own: in the order written, in Latin letters in any order.
    fn spread(&self, name: &Unpacked, anchor: Anchor) -> bool {
        if self.pieces.len() > MAX_PIECES.min(name.parts.len()) {
            return false;
        }
        if self.latin {
            let mut taken_by = vec![None; name.parts.len()];
            return (0..self.pieces.len()).all(|piece| {
                let mut tried = vec![false; taken_by.len()];
                self.finds_part(piece, name, anchor, &mut taken_by, &mut tried)
            });
        }
        // The first part that fits leaves the most to the pieces after it.
        let mut parts = name.parts();
        self.pieces.iter().all(|piece| parts.any(|part| piece.matches(part, anchor)))
    }

    /// Gives a piece a part, if need be by giving another piece another part (Kuhn's algorithm for bipartite matching:
    /// no name, however many its parts, takes longer than pieces times parts).
    fn finds_part(
        &self,
        piece: usize,
        name: &Unpacked,
        anchor: Anchor,
        taken_by: &mut [Option<usize>],
        tried: &mut [bool],
    ) -> bool {
        let Some(glob) = self.pieces.get(piece) else { return false };
        for (at, part) in name.parts().enumerate() {
            if tried.get(at).is_none_or(|tried| *tried) || !glob.matches(part, anchor) {
                continue;
            }
            if let Some(tried) = tried.get_mut(at) {
                *tried = true;
            }
            let other = taken_by.get(at).copied().flatten();
            if other.is_none_or(|other| self.finds_part(other, name, anchor, taken_by, tried)) {
                if let Some(taken) = taken_by.get_mut(at) {
                    *taken = Some(piece);
                }
                return true;
            }
        }
        false
    }
}

impl Glob {
    /// `*` at either end says nothing: fragments match anywhere.
    fn of(symbols: &[Symbol]) -> Self {
        let segments: Vec<Vec<Symbol>> = symbols
            .split(|symbol| *symbol == Symbol::ANY)
            .filter(|run| !run.is_empty())
            .map(<[Symbol]>::to_vec)
            .collect();
        Self(segments)
    }

    fn known(&self) -> impl Iterator<Item = &Symbol> {
        self.0.iter().flatten().filter(|symbol| !symbol.is_wildcard())
    }

    fn matches(&self, letters: &[Symbol], anchor: Anchor) -> bool {
        let Some((last, before)) = self.0.split_last() else { return false };
        let mut from = 0;
        for (at, segment) in before.iter().enumerate() {
            let found = if at == 0 && anchor != Anchor::Anywhere {
                holds_at(segment, letters, 0).then_some(0)
            } else {
                first_from(segment, letters, from)
            };
            let Some(found) = found else { return false };
            from = found + segment.len();
        }
        let anchored_start = before.is_empty() && anchor != Anchor::Anywhere;
        match anchor {
            Anchor::Whole => letters
                .len()
                .checked_sub(last.len())
                .is_some_and(|at| (if anchored_start { at == 0 } else { at >= from }) && holds_at(last, letters, at)),
            Anchor::Start if anchored_start => holds_at(last, letters, 0),
            Anchor::Start | Anchor::Anywhere => first_from(last, letters, from).is_some(),
        }
    }
}

fn first_from(segment: &[Symbol], letters: &[Symbol], from: usize) -> Option<usize> {
    let last = letters.len().checked_sub(segment.len())?;
    (from..=last).find(|at| holds_at(segment, letters, *at))
}

fn holds_at(segment: &[Symbol], letters: &[Symbol], at: usize) -> bool {
    let Some(here) = letters.get(at..at + segment.len()) else { return false };
    let mut unknown_before = true;
    segment.iter().zip(here).enumerate().all(|(offset, (wanted, letter))| {
        let same = *wanted == Symbol::ONE
            || wanted == letter
            || (unknown_before
                && may_be_long(*wanted, *letter, (at + offset).checked_sub(1).and_then(|b| letters.get(b))));
        unknown_before = *wanted == Symbol::ONE;
        same
    })
}

/// A fragment that begins with a vowel may begin within a long one: ウラ in マツウラ.
fn may_be_long(wanted: Symbol, letter: Symbol, before: Option<&Symbol>) -> bool {
    letter == Symbol::LONG && before.is_some_and(|before| wanted.lengthens(*before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(query: &str, written: &str) -> Option<Rank> {
        Pattern::of(query)?.best(&[FoldedName::of(NameForm::Written, written)]).map(|(rank, _)| rank)
    }

    const LATIN_PARTS: &str = "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
                               a a a a a a a a a a a a xzb";

    #[test]
    fn ranks() {
        for (query, written, expected) in [
            ("佐藤花子", "佐藤　花子", Some(Rank::Exact)),
            ("佐藤 花子", "佐藤花子", Some(Rank::Exact)),
            ("佐藤", "佐藤　花子", Some(Rank::WholeName)),
            ("花子", "佐藤　花子", Some(Rank::WholeName)),
            ("佐", "佐藤　花子", Some(Rank::Prefix)),
            ("花", "佐藤　花子", Some(Rank::Prefix)),
            ("藤花", "佐藤　花子", Some(Rank::Fragment)),
            ("佐 花", "佐藤　花子", Some(Rank::Prefix)),
            ("藤 子", "佐藤　花子", Some(Rank::Fragment)),
            ("花 佐", "佐藤　花子", None),
            ("Maria Garcia", "GARCIA MARIA", Some(Rank::Exact)),
            ("Garcia, Maria", "Maria Luisa Garcia", Some(Rank::WholeName)),
            ("佐?花子", "佐藤　花子", Some(Rank::Exact)),
            ("佐*子", "佐藤　花子", Some(Rank::Exact)),
            ("佐＊子", "佐藤　花子と", Some(Rank::Prefix)),
            ("?藤", "佐藤　花子", Some(Rank::WholeName)),
            ("??藤", "佐藤　花子", None),
            ("*藤*", "佐藤　花子", Some(Rank::Fragment)),
            ("ウラ", "マツウラ　アイ", Some(Rank::Fragment)),
            ("ウラ", "マツイラ　アイ", None),
            ("ウメ", "サトウ　ウメ", Some(Rank::WholeName)),
            ("サトウウメ", "サトウ　ウメ", Some(Rank::Exact)),
            ("サトウ ウメ", "サトウウメ", Some(Rank::Exact)),
            ("サト ウメ", "サトウメ", Some(Rank::Exact)),
            ("サトウメ", "サト ウメ", Some(Rank::Exact)),
            ("々木", "佐々木　花", Some(Rank::Fragment)),
            // No division of such a name may take longer than its length and the pieces'.
            ("a a a a a zb", LATIN_PARTS, Some(Rank::Fragment)),
            ("zb a a a a xzb", LATIN_PARTS, None),
            ("a a xzb a", LATIN_PARTS, Some(Rank::WholeName)),
            ("?", "佐藤", None),
            ("*?*", "佐藤", None),
        ] {
            assert_eq!(rank(query, written), expected, "{query} {written}");
        }
    }
}
