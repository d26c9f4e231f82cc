//! Evidence for an audit: entries with their proofs against one checkpoint, to be verified offline.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::{entry::Entry, merkle::Hash};
use crate::disclosure::done::CarriesNoRecordData;

/// An entry with its place in the tree.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvedEntry {
    /// Position in the log, from 0.
    pub position: u64,
    /// The bytes that were hashed, base64.
    pub entry: String,
    /// Audit path, base64 hashes from the leaf (RFC 6962 section 2.1.1).
    pub inclusion: Vec<String>,
}

/// Everything that is needed to verify offline.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Signed note of the tree head (C2SP tlog-checkpoint).
    pub checkpoint: String,
    pub entries: Vec<ProvedEntry>,
    /// Size of an earlier tree, and the proof that it is a prefix of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
}

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    pub from: u64,
    /// Base64 hashes (RFC 6962 section 2.1.2).
    pub proof: Vec<String>,
}

impl ProvedEntry {
    pub fn new(position: u64, body: &[u8], path: &[Hash]) -> Self {
        Self { position, entry: BASE64_STANDARD.encode(body), inclusion: encode(path) }
    }

    /// The entry itself; `None` where the bytes are no entry.
    pub fn read(&self) -> Option<Entry> {
        Entry::from_bytes(&BASE64_STANDARD.decode(&self.entry).ok()?)
    }
}

impl Consistency {
    pub fn new(from: u64, proof: &[Hash]) -> Self {
        Self { from, proof: encode(proof) }
    }
}

impl Evidence {
    /// As a file of a bundle holds it.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts and numbers can always be written out.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

fn encode(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}
