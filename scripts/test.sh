#!/usr/bin/env bash
# Runs every test, on SQLite and on a throwaway PostgreSQL. Uses cargo-nextest where it is installed, and cargo's own runner
# where not; both run the same tests.
set -euo pipefail
postgres=$(dirname "$0")/with_postgres.sh

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked
    "$postgres" cargo nextest run --locked --profile postgres
else
    cargo test --locked -- --skip nodes:: --skip kept::a_postgres
    # What profile `postgres` of .config/nextest.toml leaves out, for the reasons that stand there.
    left_out=(
        {snapshot,fail_closed,gate_by_construction,national_format,matching,openapi,tamper,witness,backup}::
        faults::{disk,commit,descriptors,clock}::
        disposal::{an_older,two_officers,a_restored,a_destruction}
        keys::{a_pass_that,an_interrupted}
        kept::{a_sqlite,one_changed}
        accounting::a_changed_database_does_not_start
        history::a_stale_index_is_caught
        at_rest::no_planted_name_is_in_database_wal_or_logs
    )
    "$postgres" cargo test --locked --test gateway -- "${left_out[@]/#/--skip=}"
fi
