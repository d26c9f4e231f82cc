//! Records by when the child was born.

use hashbrown::HashMap;

use super::{
    posting::{AnyOf, Posting},
    query::BirthCriterion,
};
use crate::domain::calendar::PartialDate;

/// Records by year and by month of birth. Month 0: it is not known.
#[derive(Default)]
pub struct Births {
    years: HashMap<i32, Posting>,
    months: HashMap<(i32, u8), Posting>,
}

/// A birth date narrower than so many years is looked up; a wider one is asked of each record.
const MAX_YEARS_LOOKED_UP: usize = 2;
const MAX_MONTHS_LOOKED_UP: usize = 3;

/// Where a month would stand: the set is that of the whole year.
const WHOLE_YEAR: u8 = u8::MAX;

impl Births {
    /// As a part of a snapshot.
    pub fn write(&self) -> Vec<u8> {
        let mut part = Vec::new();
        let mut put = |year: i32, month: u8, posting: &Posting| {
            part.extend_from_slice(&year.to_le_bytes());
            part.push(month);
            posting.write(&mut part);
        };
        self.years.iter().for_each(|(year, posting)| put(*year, WHOLE_YEAR, posting));
        self.months.iter().for_each(|((year, month), posting)| put(*year, *month, posting));
        part
    }

    /// Adds what [`Self::write`] wrote; `None` where it is damaged.
    pub fn read(&mut self, mut part: &[u8]) -> Option<()> {
        while let Some((year, rest)) = part.split_first_chunk() {
            let (month, rest) = rest.split_first()?;
            part = rest;
            let (year, posting) = (i32::from_le_bytes(*year), Posting::read(&mut part)?);
            if *month == WHOLE_YEAR {
                self.years.insert(year, posting);
            } else {
                self.months.insert((year, *month), posting);
            }
        }
        part.is_empty().then_some(())
    }

    pub fn insert(&mut self, slot: u32, birth: PartialDate) {
        self.years.entry(birth.year).or_default().insert(slot);
        self.months.entry((birth.year, birth.month.unwrap_or(0))).or_default().insert(slot);
    }

    pub fn remove(&mut self, slot: u32, birth: PartialDate) {
        let year = self.years.get_mut(&birth.year);
        let month = self.months.get_mut(&(birth.year, birth.month.unwrap_or(0)));
        [year, month].into_iter().flatten().for_each(|posting| posting.remove(slot));
    }

    /// The sets that hold whoever may answer; `None` where the criterion is too wide to be looked up.
    pub fn condition(&self, birth: BirthCriterion) -> Option<AnyOf<'_>> {
        if let Some((year, months)) = birth.months()
            && months.clone().count() <= MAX_MONTHS_LOOKED_UP
        {
            // Of unknown month: it may be any.
            let months = months.filter_map(|month| u8::try_from(month).ok()).chain([0]);
            return Some(AnyOf::new(months.filter_map(|month| self.months.get(&(year, month))).collect()));
        }
        let years = birth.years();
        let few = usize::try_from(years.end() - years.start()).is_ok_and(|more| more < MAX_YEARS_LOOKED_UP);
        few.then(|| AnyOf::new(years.filter_map(|year| self.years.get(&year)).collect()))
    }
}
