//! Keys: who holds them, how they wrap each other, how one is destroyed.
//!
//! Comes in: values with the place where they will be kept, wrapped keys as the database keeps them. Goes out:
//! ciphertexts that open at their place alone, and what they held. Never done here: reading or writing the database.

pub mod error;
pub mod keyring;
pub mod shreds;
pub mod token;
pub mod vault;
