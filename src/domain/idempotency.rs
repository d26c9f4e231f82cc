//! What makes repeating a write harmless.

/// Makes repeating a write harmless: the key and the digest of the request it belongs to.
#[derive(Clone)]
pub struct Idempotency {
    pub key: String,
    pub digest: Vec<u8>,
}
