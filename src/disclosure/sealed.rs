//! Record data as the store hands it out.

/// A value that nobody outside the disclosure room can look at. It has no `Debug`, `Clone`, `Deref` or `Serialize`.
pub struct Sealed<T>(T);

impl<T> Sealed<T> {
    /// Closes a value that has just come out of its encryption.
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
}
