//! Names one after another in the order of a dictionary, up or down; a few in between may be out of order.
//!
//! The run that a name ends is the longest of those, and of equally long ones that with the latest name before it, and
//! so on. The names are kept in layers: the n-th holds those whose run is n names long, as they came. Two facts make
//! that cheap.
//!
//! - Within a layer no name follows an earlier one, or its run would be longer. So of the names before a given one the
//!   layer's latest is the first in order, and the last names of the layers are in order: where a new name belongs is
//!   found by halving.
//! - When the earliest name is forgotten, a run gets shorter by one where all the names before its end, in the layer
//!   below, have got shorter runs: these are the first few names of each layer. They move to the layer below, and
//!   where none is left in a layer all above move with it. A name moves each time that its run gets shorter, at most
//!   as often as the run was long, and in a walk hardly ever.

use std::collections::VecDeque;

use super::{End, SearchMark, Symbol, WALK, WALK_PERCENT, WALK_WITHIN, take_if};

/// Names in kana that were asked for within the time of a walk.
#[derive(Default)]
pub(super) struct Walk {
    names: VecDeque<Name>,
    /// Number of the first name; the others follow.
    first: usize,
    up: NameLayers,
    down: NameLayers,
}

/// A name and the searches for it that no other name came between.
struct Name {
    step: Vec<Symbol>,
    marks: VecDeque<SearchMark>,
}

/// Numbers of names in layers by the length of the run that each ends.
#[derive(Default)]
struct NameLayers(VecDeque<VecDeque<usize>>);

impl Walk {
    /// Adds the newest name. Returns the number of the first name of the walk that it ends.
    pub(super) fn add(&mut self, step: Vec<Symbol>, mark: SearchMark) -> Option<usize> {
        let from = mark.micros() - WALK_WITHIN;
        while self.remove_if(End::First, |mark| mark.micros() < from) {}
        if let Some(last) = self.names.back_mut().filter(|last| last.step == step) {
            last.marks.push_back(mark);
            return None;
        }
        let number = self.first + self.names.len();
        self.names.push_back(Name { step, marks: VecDeque::from([mark]) });
        let Self { names, first, up, down } = self;
        let step = |number: usize| names.get(number - *first).map(|name| &name.step);
        let up = up.add(number, |earlier| step(earlier) < step(number));
        let down = down.add(number, |earlier| step(earlier) > step(number));
        up.or(down)
    }

    /// Removes the search of this place if it is at that end.
    pub(super) fn remove(&mut self, place: usize, end: End) {
        self.remove_if(end, |mark| mark.place == place);
    }

    /// The first search for each name from one on.
    pub(super) fn marks_from(&self, number: usize) -> impl Iterator<Item = SearchMark> + '_ {
        self.names.iter().skip(number - self.first).filter_map(|name| name.marks.front().copied())
    }

    fn remove_if(&mut self, end: End, is_it: impl Fn(&SearchMark) -> bool) -> bool {
        let name = match end {
            End::First => self.names.front_mut(),
            End::Last => self.names.back_mut(),
        };
        let Some(name) = name else { return false };
        if take_if(&mut name.marks, end, |mark| is_it(mark)).is_none() {
            return false;
        }
        match end {
            _ if !name.marks.is_empty() => {}
            End::First => {
                self.up.forget_first();
                self.down.forget_first();
                self.names.pop_front();
                self.first += 1;
            }
            End::Last => {
                let Self { names, first, up, down } = self;
                let step = |number: usize| names.get(number - *first).map(|name| &name.step);
                let last = names.back().map(|name| &name.step);
                up.take_back(|earlier| step(earlier) < last);
                down.take_back(|earlier| step(earlier) > last);
                names.pop_back();
            }
        }
        true
    }
}

impl NameLayers {
    /// Adds the newest name. Returns the first name of the run that it ends, where that is long and dense enough.
    fn add(&mut self, number: usize, follows: impl Fn(usize) -> bool) -> Option<usize> {
        let below = self.below(follows);
        match self.0.get_mut(below) {
            Some(layer) => layer.push_back(number),
            None => self.0.push_back(VecDeque::from([number])),
        }
        let length = below + 1;
        if length < WALK {
            return None;
        }
        // Back along the run, as long as there are not too many names beside it.
        let mut first = number;
        for (names, layer) in (2..).zip(self.0.iter().take(below).rev()) {
            let earlier = layer.partition_point(|earlier| *earlier < first);
            first = *layer.get(earlier.checked_sub(1)?)?;
            let beside = number + 1 - first - names;
            if length * 100 < (length + beside) * WALK_PERCENT {
                return None;
            }
        }
        Some(first)
    }

    /// Forgets the earliest name: it is the first of the first layer.
    fn forget_first(&mut self) {
        let mut at = 0;
        if let Some(layer) = self.0.front_mut() {
            layer.pop_front();
        }
        while let Some(layer) = self.0.get(at) {
            let Some(stays) = layer.front().copied() else {
                self.0.remove(at);
                return;
            };
            let Some(above) = self.0.get_mut(at + 1) else { return };
            let shorter = above.partition_point(|number| *number < stays);
            if shorter == 0 {
                return;
            }
            let moved: Vec<usize> = above.drain(..shorter).collect();
            if let Some(layer) = self.0.get_mut(at) {
                moved.into_iter().rev().for_each(|number| layer.push_front(number));
            }
            at += 1;
        }
    }

    /// Takes the newest name away: it is the last of its layer.
    fn take_back(&mut self, follows: impl Fn(usize) -> bool) {
        let below = self.below(follows);
        if let Some(layer) = self.0.get_mut(below) {
            layer.pop_back();
        }
        // Where it was alone it was in the last layer: a name above would have come after it.
        self.0.pop_back_if(|layer| layer.is_empty());
    }

    /// Layers whose last name a name follows, which is then to be found in the next one.
    fn below(&self, follows: impl Fn(usize) -> bool) -> usize {
        self.0.partition_point(|layer| layer.back().is_some_and(|last| follows(*last)))
    }
}
