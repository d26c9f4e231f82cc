//! What the clients of a history have been told so far, and what they do next.

use super::model::{Act, Asked, Body, Name, Op, Outcome, Query, Step};

const BIRTH_DATES: [&str; 3] = ["2017-05-05", "2018-04-01", "2018-11-30"];
/// Names that a history may use up.
const NAMES: u32 = 64;

/// The records of a history.
pub struct Board {
    guardian: Name,
    last_name: u32,
    records: Vec<Known>,
}

/// A record, as far as it is known.
struct Known {
    id: String,
    version: i64,
    /// The names it was given or was to be given, the last one last.
    names: Vec<Name>,
    owner: Body,
    shielded: bool,
    lift_asked: bool,
    transfer: Option<(String, bool)>,
    /// Somebody else has changed it.
    is_outdated: bool,
}

impl Board {
    pub fn new(seed: u32) -> Self {
        Self { guardian: Name(seed * NAMES), last_name: seed * NAMES, records: Vec::new() }
    }

    /// The name of the guardian of them all.
    pub fn guardian(&self) -> Name {
        self.guardian
    }

    pub fn records(&self) -> Vec<String> {
        self.records.iter().map(|known| known.id.clone()).collect()
    }

    pub fn register(&mut self, dice: &mut Dice) -> Act {
        self.last_name += 1;
        Act::Register { name: Name(self.last_name), birth_date: dice.one_of(&BIRTH_DATES) }
    }

    /// What a body does next, and to which record.
    pub fn choose(&mut self, body: Body, dice: &mut Dice) -> (String, Act) {
        let Self { guardian, last_name, records } = self;
        let at = dice.below(records.len().max(1));
        let Some(known) = records.get_mut(at) else {
            let query = Query { name: Asked::Guardian(*guardian), birth_date: None };
            return (String::new(), Act::Search(query));
        };
        if !body.is_city() || dice.below(10) < 4 {
            return (String::new(), Act::Search(known.query(*guardian, dice)));
        }
        let act = match known.transfer.clone() {
            _ if known.owner == body => known.owners_act(last_name, dice),
            Some((transfer, _)) if dice.below(8) == 0 => Act::Step(Step::Reject, transfer),
            Some((transfer, true)) => Act::Step(Step::TakeOver, transfer),
            Some((transfer, false)) => Act::Step(Step::Confirm, transfer),
            // What is not its own it may not see or change.
            None if dice.below(2) == 0 => Act::View,
            None => known.update(last_name, dice),
        };
        (known.id.clone(), act)
    }

    pub fn note(&mut self, op: &Op) {
        if let (Act::Register { name, .. }, Outcome::Done { .. }) = (&op.act, &op.outcome) {
            self.records.push(Known {
                id: op.record.clone(),
                version: 1,
                names: vec![*name],
                owner: op.by,
                shielded: false,
                lift_asked: false,
                transfer: None,
                is_outdated: false,
            });
        }
        if let Some(known) = self.records.iter_mut().find(|known| known.id == op.record) {
            known.note(op);
        }
    }
}

impl Known {
    fn query(&self, guardian: Name, dice: &mut Dice) -> Query {
        let last = self.names[self.names.len() - 1];
        let name = match dice.below(4) {
            0 => Asked::Guardian(guardian),
            1 => Asked::Child(dice.one_of(&self.names)),
            2 => Asked::ChildInKana(last),
            _ => Asked::Child(last),
        };
        let birth_date = if dice.below(4) == 0 { Some(dice.one_of(&BIRTH_DATES)) } else { None };
        Query { name, birth_date }
    }

    fn owners_act(&mut self, last_name: &mut u32, dice: &mut Dice) -> Act {
        if std::mem::take(&mut self.is_outdated) {
            return Act::View;
        }
        match dice.below(12) {
            // What was begun is more often ended than not: each kind is done in a few dozen histories.
            4..=7 if self.lift_asked => Act::ApproveLift,
            0..=3 => self.update(last_name, dice),
            4 => Act::Close { sent: self.version },
            5..=7 if self.shielded => Act::AskLift,
            5..=7 => Act::Shield,
            8..=10 => match &self.transfer {
                Some((transfer, _)) if dice.below(6) == 0 => Act::Step(Step::Withdraw, transfer.clone()),
                _ => Act::Offer,
            },
            _ => Act::View,
        }
    }

    fn update(&mut self, last_name: &mut u32, dice: &mut Dice) -> Act {
        if dice.below(4) > 0 {
            *last_name += 1;
            self.names.push(Name(*last_name));
        }
        let name = self.names[self.names.len() - 1];
        // A document says whether the record is shielded, and now and then something else than before.
        let shielded = self.shielded != (dice.below(8) == 0);
        Act::Update { sent: self.version, name, birth_date: dice.one_of(&BIRTH_DATES), shielded }
    }

    fn note(&mut self, Op { by, act, outcome, .. }: &Op) {
        match outcome {
            Outcome::Done { version, transfer } => {
                self.version = version.unwrap_or(0).max(self.version);
                match act {
                    Act::Update { shielded, .. } => self.shielded = *shielded,
                    Act::Shield => (self.shielded, self.lift_asked) = (true, false),
                    Act::AskLift => self.lift_asked = true,
                    Act::ApproveLift => (self.shielded, self.lift_asked) = (false, false),
                    Act::Offer => self.transfer = transfer.clone().map(|id| (id, false)),
                    Act::Step(Step::Confirm, id) => self.transfer = Some((id.clone(), true)),
                    Act::Step(Step::TakeOver, _) => {
                        (self.owner, self.transfer, self.lift_asked) = (*by, None, false);
                        self.is_outdated = true;
                    }
                    Act::Step(Step::Withdraw | Step::Reject, _) => self.transfer = None,
                    Act::Register { .. } | Act::Close { .. } | Act::Search(_) | Act::View => {}
                }
            }
            Outcome::Viewed(Some((version, _))) => self.version = self.version.max(*version),
            Outcome::Refused(code) => self.is_outdated |= code == "stale_version",
            Outcome::Unknown => self.is_outdated = true,
            Outcome::Found(_) | Outcome::Viewed(None) => {}
        }
    }
}

/// A seeded sequence (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
