//! One record, and what each call does to it and is told, were there never two calls at once.

use super::checker::State;
use crate::harness::{CENTER_A, CITY_A, CITY_B, FAR_CENTER};

/// The bodies of the story. The two cities hand records to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Body {
    #[default]
    City,
    OtherCity,
    /// The counterpart of the city.
    Center,
    FarCenter,
}

impl Body {
    pub const ALL: [Self; 4] = [Self::City, Self::OtherCity, Self::Center, Self::FarCenter];

    pub fn name(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::OtherCity => "other-city",
            Self::Center => "center",
            Self::FarCenter => "far-center",
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::City => CITY_A,
            Self::OtherCity => CITY_B,
            Self::Center => CENTER_A,
            Self::FarCenter => FAR_CENTER,
        }
    }

    pub fn is_city(self) -> bool {
        matches!(self, Self::City | Self::OtherCity)
    }

    /// To whom a city offers its records.
    pub fn receiver(self) -> Self {
        if self == Self::City { Self::OtherCity } else { Self::City }
    }
}

/// A family name that no other family has: a number in sixteen kanji, and the same in sixteen kana.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name(pub u32);

impl Name {
    pub fn family(self) -> String {
        self.in_digits("甲乙丙丁戊己庚辛壬癸東西南北春秋")
    }

    pub fn family_kana(self) -> String {
        self.in_digits("カキクケサシスセタチツテナニヌネ")
    }

    pub fn child(self) -> String {
        format!("{} 花子", self.family())
    }

    fn in_digits(self, digits: &str) -> String {
        let digits: Vec<char> = digits.chars().collect();
        (0..6).rev().map(|place| digits[(self.0 >> (4 * place)) as usize % digits.len()]).collect()
    }
}

/// The name that a search asks for.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Child(Name),
    ChildInKana(Name),
    /// That of the guardian, whom all children of a history have.
    Guardian(Name),
}

#[derive(Clone, Copy, Debug)]
pub struct Query {
    pub name: Asked,
    pub birth_date: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Confirm,
    TakeOver,
    Withdraw,
    Reject,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::TakeOver => "take-over",
            Self::Withdraw => "withdraw",
            Self::Reject => "reject",
        }
    }
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub enum Act {
    Register {
        name: Name,
        birth_date: &'static str,
    },
    /// A whole document, for the version that was `sent`.
    Update {
        sent: i64,
        name: Name,
        birth_date: &'static str,
        shielded: bool,
    },
    Close {
        sent: i64,
    },
    Shield,
    /// By one officer.
    AskLift,
    /// By another.
    ApproveLift,
    Offer,
    Step(Step, String),
    Search(Query),
    View,
}

impl Act {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::Update { .. } => "update",
            Self::Close { .. } => "close",
            Self::Shield => "shield",
            Self::AskLift => "ask to lift",
            Self::ApproveLift => "lift",
            Self::Offer => "offer",
            Self::Step(step, _) => step.as_str(),
            Self::Search(_) => "search",
            Self::View => "view",
        }
    }
}

/// What a search shows of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub name: String,
    pub birth_date: String,
    /// Code of the organization to call, or [`RELAY`].
    pub contact: String,
}

pub const RELAY: &str = "relay";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub record: String,
    pub shown: Shown,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done {
        version: Option<i64>,
        transfer: Option<String>,
    },
    /// Nothing was done, for the reason that the code names.
    Refused(String),
    Found(Vec<Hit>),
    /// Version, and whether it is closed; nothing for anybody but the owner.
    Viewed(Option<(i64, bool)>),
    /// No answer, or one that leaves open what was done.
    Unknown,
}

/// A call: who asked for what, and was told what.
#[derive(Clone, Debug)]
pub struct Op {
    pub by: Body,
    /// Empty for a search, which asks for all records.
    pub record: String,
    pub act: Act,
    pub outcome: Outcome,
}

/// A record; of version 0 before it is registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    id: String,
    version: i64,
    name: Name,
    birth_date: &'static str,
    owner: Body,
    shielded: bool,
    lift_asked: bool,
    closed: bool,
    /// The open transfer, and whether it is confirmed.
    transfer: Option<(String, bool)>,
}

impl State for Record {
    type Op = Op;

    fn after(&self, Op { by, act, outcome, .. }: &Op) -> Option<Self> {
        let unchanged = |is_so: bool| is_so.then(|| self.clone());
        match (act, outcome) {
            (Act::Search(query), Outcome::Found(hits)) => {
                let hit = hits.iter().find(|hit| hit.record == self.id);
                unchanged(hit.map(|hit| &hit.shown) == self.shown(*by, query).as_ref())
            }
            (Act::View, Outcome::Viewed(viewed)) => unchanged(self.viewed(*by) == *viewed),
            (_, Outcome::Refused(code)) => unchanged(self.done(*by, act).is_err_and(|refusal| refusal == code)),
            (_, Outcome::Unknown) => self.done(*by, act).ok(),
            (_, Outcome::Done { version, transfer }) => {
                let mut next = self.done(*by, act).ok()?;
                if let (Act::Offer, Some(id)) = (act, transfer) {
                    next.transfer = Some((id.clone(), false));
                }
                version.is_none_or(|version| version == next.version).then_some(next)
            }
            _ => None,
        }
    }
}

impl Record {
    pub fn unregistered(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// What a search by a body shows of the record.
    fn shown(&self, by: Body, query: &Query) -> Option<Shown> {
        let is_asked_for = match query.name {
            Asked::Child(name) | Asked::ChildInKana(name) => name == self.name,
            Asked::Guardian(_) => true,
        };
        let is_born = query.birth_date.is_none_or(|birth_date| birth_date == self.birth_date);
        let is_outside = by != self.owner && (by, self.owner) != (Body::Center, Body::City);
        let hides_owner = is_outside && self.shielded;
        if self.version == 0 || !is_asked_for || !is_born || (hides_owner && by.is_city()) {
            return None;
        }
        let contact = if hides_owner { RELAY } else { self.owner.code() };
        Some(Shown { name: self.name.child(), birth_date: self.birth_date.to_owned(), contact: contact.to_owned() })
    }

    fn viewed(&self, by: Body) -> Option<(i64, bool)> {
        self.belongs_to(by).then_some((self.version, self.closed))
    }

    fn belongs_to(&self, body: Body) -> bool {
        self.version > 0 && self.owner == body
    }

    /// The record after a write, or the code of its refusal.
    fn done(&self, by: Body, act: &Act) -> Result<Self, &'static str> {
        let mut next = self.clone();
        match act {
            Act::Search(_) | Act::View => return Err("a read does nothing"),
            Act::Register { name, birth_date } => {
                let fresh = Self::unregistered(&self.id);
                next = Self { version: 1, name: *name, birth_date: *birth_date, owner: by, ..fresh };
            }
            Act::Step(step, transfer) => return self.stepped(by, *step, transfer),
            _ if !self.belongs_to(by) => return Err("record_not_available"),
            Act::Update { .. } | Act::Close { .. } if self.closed => return Err("record_closed"),
            Act::Update { sent, .. } | Act::Close { sent } if *sent != self.version => return Err("stale_version"),
            Act::Update { shielded: false, .. } if self.shielded => return Err("shield_needs_two"),
            Act::Update { name, birth_date, shielded, .. } => {
                (next.name, next.birth_date, next.shielded) = (*name, *birth_date, *shielded);
                next.version += 1;
            }
            Act::Close { .. } => next.closed = true,
            Act::Shield => {
                (next.shielded, next.lift_asked) = (true, false);
                next.version += 1;
            }
            Act::AskLift if !self.shielded => return Err("not_found"),
            Act::AskLift => next.lift_asked = true,
            Act::ApproveLift if !self.lift_asked => return Err("shield_lift_not_asked"),
            Act::ApproveLift => {
                (next.shielded, next.lift_asked) = (false, false);
                next.version += 1;
            }
            Act::Offer if self.transfer.is_some() => return Err("transfer_open"),
            Act::Offer if self.shielded => return Err("shield_forbids"),
            // Its id comes with the answer.
            Act::Offer => next.transfer = Some((String::new(), false)),
        }
        Ok(next)
    }

    fn stepped(&self, by: Body, step: Step, transfer: &str) -> Result<Self, &'static str> {
        let mut next = self.clone();
        let open = self.transfer.as_ref().filter(|(open, _)| open == transfer).map(|(_, confirmed)| *confirmed);
        match (step, by == self.owner, open) {
            // Whoever takes it over learns the address, and the shield names nobody.
            (Step::Confirm, false, Some(false)) | (Step::TakeOver, false, Some(true)) if self.shielded => {
                return Err("shield_forbids");
            }
            (Step::Confirm, false, Some(false)) => next.transfer = Some((transfer.to_owned(), true)),
            (Step::TakeOver, false, Some(true)) => {
                (next.owner, next.transfer) = (by, None);
                // The case goes on where the family is.
                (next.closed, next.lift_asked) = (false, false);
                next.version += 1;
            }
            (Step::Withdraw, true, Some(_)) | (Step::Reject, false, Some(_)) => next.transfer = None,
            _ => return Err("transfer_state"),
        }
        Ok(next)
    }
}
