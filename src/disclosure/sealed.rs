//! Record data as the store hands it out.

use crate::{
    domain::{
        calendar::PartialDate,
        case_record::{DerivedFacts, IndexItems, RecordFacts},
        format::Document,
        retention::RetentionClass,
    },
    keys::{
        error::KeyError,
        vault::{Key, Place},
    },
    search::records::PackedRecord,
};

/// A value that nobody outside the disclosure room can look at. It has no `Debug`, `Clone`, `Deref` or `Serialize`.
///
/// It may be reshaped and written back encrypted: the functions for that are plain `fn`s, which carry nothing away.
pub struct Sealed<T>(T);

impl<T> Sealed<T> {
    /// Seals a value that has just been decrypted.
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// Opens it; the disclosure room alone can.
    pub(super) fn open(self) -> T {
        self.0
    }

    /// Looks at it without opening; the disclosure room alone can.
    pub(super) fn peek(&self) -> &T {
        &self.0
    }

    /// Reshapes what is inside, which stays inside.
    pub fn map<A, U>(self, with: A, reshape: fn(T, A) -> U) -> Sealed<U> {
        Sealed(reshape(self.0, with))
    }

    /// Takes something out of what is inside, which stays inside as well.
    pub fn project<U>(&self, part: fn(&T) -> Option<U>) -> Option<Sealed<U>> {
        part(&self.0).map(Sealed)
    }

    /// Many sealed values as one.
    pub fn all(values: impl IntoIterator<Item = Self>) -> Sealed<Vec<T>> {
        Sealed(values.into_iter().map(|value| value.0).collect())
    }

    /// Returns the answer to one question about what is inside.
    pub fn is(&self, question: fn(&T) -> bool) -> bool {
        question(&self.0)
    }

    /// Encrypts it for its place in the database.
    ///
    /// # Errors
    /// The provider refused.
    pub fn encrypt(&self, key: &Key, place: Place<'_>, to_bytes: fn(&T) -> Vec<u8>) -> Result<Vec<u8>, KeyError> {
        key.seal(place, &to_bytes(&self.0))
    }
}

impl Sealed<Document> {
    /// The facts that decide who may see it: no record data, and kept in the clear.
    pub fn facts(&self) -> Option<DerivedFacts> {
        DerivedFacts::of(&self.0)
    }

    /// A digest of all that its shield says, for seeing whether that is still the same; `None` where there is none.
    pub fn shield_digest(&self) -> Option<String> {
        self.0.shield_digest()
    }

    /// What decides how long it is kept: the child's birth date and the class of the case.
    pub fn kept_by(&self, serious: bool) -> Option<(PartialDate, RetentionClass)> {
        Some((IndexItems::of(&self.0)?.birth_date, RetentionClass::of(&self.0, serious)))
    }
}

impl Sealed<IndexItems> {
    /// Packs it for the index, which hands it out sealed.
    pub fn packed(&self, facts: RecordFacts) -> PackedRecord {
        PackedRecord::new(facts, &self.0)
    }
}
