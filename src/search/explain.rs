//! Why two ways of writing a name meet, or do not.

use super::{
    fold::{FoldedName, fold_query},
    near::Readings,
    pattern::{Pattern, Rank, Unpacked},
    symbol::{Symbol, readable, unpack},
};
use crate::domain::case_record::NameForm;

/// What the folding rules make of a fragment and of a name, and whether they meet.
pub struct Explanation {
    /// Keys of the fragment, its pieces divided by spaces; more than one where the rules leave a choice.
    pub asked: Vec<String>,
    /// Keys of the name.
    pub kept: Vec<String>,
    /// How well the name answers; `None` where it does not.
    pub rank: Option<Rank>,
}

/// Explains a fragment against a registered name, the way a search decides it.
pub fn explain(fragment: &str, name: &str) -> Explanation {
    let folded = FoldedName::of(NameForm::Written, name);
    let queries = fold_query(fragment);
    let asked = queries.iter().map(|query| readable(query.pieces.join(&Symbol::BOUNDARY))).collect();
    let rank = Pattern::of(fragment).and_then(|pattern| {
        let direct = pattern.best(std::slice::from_ref(&folded)).map(|(rank, _)| rank);
        direct.or_else(|| near(&pattern, &folded).then_some(Rank::NearMiss))
    });
    Explanation { asked, kept: folded.keys.iter().map(|key| readable(unpack(key))).collect(), rank }
}

fn near(pattern: &Pattern, name: &FoldedName) -> bool {
    let mut readings = Readings::default();
    name.keys.iter().for_each(|key| readings.add(key));
    let mut unpacked = Unpacked::default();
    name.keys.iter().any(|key| {
        unpacked.read(key);
        pattern.targets(&readings).iter().any(|target| unpacked.holds(target))
    })
}
