//! The index in parts, as a snapshot keeps it.

use std::sync::PoisonError;

use super::SearchIndex;
use crate::search::records::PersonRole;

/// What a part of a snapshot holds: its first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Organizations,
    Headers,
    Texts,
    Grams(PersonRole),
    Births,
    Readings,
}

impl PartKind {
    const ALL: [Self; 8] = [
        Self::Organizations,
        Self::Headers,
        Self::Texts,
        Self::Grams(PersonRole::Child),
        Self::Grams(PersonRole::Guardian),
        Self::Grams(PersonRole::Relative),
        Self::Births,
        Self::Readings,
    ];

    fn byte(self) -> u8 {
        (0..).zip(Self::ALL).find(|(_, kind)| *kind == self).map_or(u8::MAX, |(byte, _)| byte)
    }
}

impl SearchIndex {
    /// Hands over the whole index in parts, most of them of a few MiB; the first byte of a part says what it holds.
    /// Searches go on meanwhile, changes wait.
    ///
    /// # Errors
    /// Those of `put`.
    pub fn write_parts<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut tell = |kind: PartKind, mut part: Vec<u8>| {
            part.insert(0, kind.byte());
            put(&part)
        };
        tell(PartKind::Organizations, inner.records.write_organizations())?;
        inner.records.header_parts().try_for_each(|part| tell(PartKind::Headers, part))?;
        inner.records.text_parts().try_for_each(|part| tell(PartKind::Texts, part))?;
        for role in PersonRole::ALL.iter().copied() {
            inner.grams(role).parts().try_for_each(|part| tell(PartKind::Grams(role), part))?;
        }
        tell(PartKind::Births, inner.births.write())?;
        tell(PartKind::Readings, inner.readings.write())
    }

    /// Adds a part that [`Self::write_parts`] handed over, to an index that holds the parts before it alone. `None`
    /// where it is of an unknown kind, or damaged.
    pub fn read_part(&self, part: &[u8]) -> Option<()> {
        let (kind, part) = part.split_first()?;
        let inner = &mut *self.0.write().unwrap_or_else(PoisonError::into_inner);
        match PartKind::ALL.get(usize::from(*kind))? {
            PartKind::Organizations => inner.records.read_organizations(part),
            PartKind::Headers => inner.records.read_headers(part),
            PartKind::Texts => {
                inner.records.read_texts(part);
                Some(())
            }
            PartKind::Grams(role) => inner.grams_mut(*role).read_part(part),
            PartKind::Births => inner.births.read(part),
            PartKind::Readings => inner.readings.read(part),
        }
    }
}
