//! Black-box tests over real mutual TLS, one file for each part of the story.

mod accounting;
mod crash;
mod harness;
mod identity;
mod missing_notice;
mod national_format;
mod oversight;
mod register_and_update;
mod search;
mod shield;
mod transfer;
