//! Standing matches: missing children against later registrations and searches.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use uuid::Uuid;

use super::{fold::FoldedName, query::Query};
use crate::domain::{
    calendar::PartialDate,
    case_record::{IndexItems, NameForm},
    missing_notice::MissingChild,
    organization::OrganizationCode,
};

/// A missing child, as its notice describes it.
pub struct MissingChildMatcher {
    issuer: OrganizationCode,
    names: Vec<FoldedName>,
    guardians: Vec<FoldedName>,
    birth: Option<PartialDate>,
}

impl MissingChildMatcher {
    pub fn new(issuer: OrganizationCode, child: &MissingChild) -> Self {
        let kana = child.kana.iter().map(|kana| FoldedName::of(NameForm::Kana, kana));
        Self {
            issuer,
            names: std::iter::once(FoldedName::of(NameForm::Written, &child.name)).chain(kana).collect(),
            guardians: child.guardians.iter().map(|name| FoldedName::of(NameForm::Written, name)).collect(),
            birth: PartialDate::parse(&child.birth_date),
        }
    }
}

/// A change that follows a committed effect.
pub enum StandingChange {
    Put(Uuid, Box<MissingChildMatcher>),
    Remove(Uuid),
}

/// The notices in force on a node.
#[derive(Default)]
pub struct StandingMatches(RwLock<HashMap<Uuid, MissingChildMatcher>>);

impl StandingMatches {
    pub fn apply(&self, change: StandingChange) {
        let mut wanted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            StandingChange::Put(notice, child) => {
                wanted.insert(notice, *child);
            }
            StandingChange::Remove(notice) => {
                wanted.remove(&notice);
            }
        }
    }

    /// Notices, with their issuers, whose child a registered child may be: a whole name in common, and no birth date
    /// that speaks against it.
    pub fn registered(&self, items: &IndexItems) -> Vec<(Uuid, OrganizationCode)> {
        let names: Vec<FoldedName> = items.child.names.iter().map(|(form, name)| FoldedName::of(*form, name)).collect();
        self.each(|wanted| {
            wanted.names.iter().any(|name| names.iter().any(|other| other.shares_key(name)))
                && wanted.birth.is_none_or(|birth| birth.may_equal(items.birth_date))
        })
    }

    /// Notices, with their issuers, whose child a search would find.
    pub fn searched(&self, query: &Query) -> Vec<(Uuid, OrganizationCode)> {
        if query.child.is_none() && query.guardian.is_none() {
            return Vec::new();
        }
        self.each(|wanted| {
            let child = query.child.as_ref().is_none_or(|fragment| fragment.best(&wanted.names).is_some());
            let guardian = query.guardian.as_ref().is_none_or(|fragment| fragment.best(&wanted.guardians).is_some());
            let birth = match (query.birth, wanted.birth) {
                (Some(criterion), Some(birth)) => criterion.admits(birth),
                _ => true,
            };
            child && guardian && birth
        })
    }

    fn each(&self, matches: impl Fn(&MissingChildMatcher) -> bool) -> Vec<(Uuid, OrganizationCode)> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|(_, wanted)| matches(wanted)).map(|(id, wanted)| (*id, wanted.issuer.clone())).collect()
    }
}
