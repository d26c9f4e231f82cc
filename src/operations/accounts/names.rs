//! What officers were called when they acted: whoever reads of an earlier act finds the name of that time.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use crate::{
    clock::Timestamp,
    domain::{organization::OrganizationCode, two_persons::StaffId},
    gateway::Gateway,
    journal::journal::Journal,
    keys::vault::Vault,
    planted::Planted,
    store::{self, error::StoreError, tx::Tx},
};

/// Names by time, each officer's read once.
pub(crate) struct NamesThen {
    vault: Arc<Vault>,
    journal: Journal,
    read: HashMap<StaffId, Vec<(Timestamp, String)>>,
}

impl NamesThen {
    pub(crate) fn of(gateway: &Gateway) -> Self {
        Self { vault: gateway.vault.clone(), journal: gateway.journal.clone(), read: HashMap::new() }
    }

    /// What an officer was called at a moment, RFC 3339; of staff from before names were kept, whose name never
    /// changed, what they are called. Empty for who is no staff: the gateway itself, somebody whom a desk claimed.
    ///
    /// # Errors
    /// The database failed, or a name does not open.
    pub(crate) async fn at(
        &mut self,
        tx: &mut Tx,
        (organization, officer): (&str, &str),
        at: &str,
    ) -> Result<String, StoreError> {
        let Some(organization) = OrganizationCode::parse(organization) else { return Ok(String::new()) };
        let Some(staff) = self.journal.memory().directory.staff(&organization, officer) else {
            return Ok(String::new());
        };
        let of = StaffId { organization, officer: officer.to_owned() };
        let names = match self.read.entry(of) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(unknown) => {
                let names = store::staff_grants::names_of(tx, &self.vault, unknown.key()).await?;
                unknown.insert(names)
            }
        };
        let at = Timestamp::from_rfc3339(at).filter(|_| !Planted::NamesOfToday.is_planted());
        let then = at.and_then(|at| names.iter().rev().find(|(since, _)| *since <= at));
        Ok(then.map_or(staff.name, |(_, name)| name.clone()))
    }
}
