//! Black-box tests over real mutual TLS, one file for each part of the story.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod accounting;
mod at_rest;
mod backup;
mod batch;
mod concurrency;
mod crash;
mod disposal;
mod edit_lock;
mod fail_closed;
mod faults;
mod fuzz_seeds;
mod gate_by_construction;
mod harness;
mod history;
mod identity;
mod keys;
mod limits;
mod matching;
mod missing_notice;
mod national_format;
mod nodes;
mod openapi;
mod oversight;
mod postgres;
mod postgres_schema;
mod register_and_update;
mod search;
mod settings;
mod shield;
mod snapshot;
mod tables;
mod tamper;
mod transfer;
mod two_worlds;
mod witness;
