//! The report of a file of many records, line by line.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::format::Fault;
use crate::disclosure::done::CarriesNoRecordData;

/// What became of one line.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct BatchLine {
    /// From 1. Empty lines count and are left out.
    pub line: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// What is wrong with it; it was not registered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// More is wrong with it than is listed here: a report lists the first fault of each line and 500 others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_faults: bool,
}

/// A batch, line by line.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct BatchReport {
    pub batch: Uuid,
    pub lines: Vec<BatchLine>,
}
