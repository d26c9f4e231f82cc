#!/usr/bin/env bash
# Lints, and runs every test, on SQLite and on a throwaway PostgreSQL. Uses cargo-nextest where it is installed, and
# cargo's own runner where not; both run the same tests. Then the staff pages in a browser. Says at the end how long each
# part took.
set -euo pipefail
postgres=$(dirname "$0")/with_postgres.sh

# Runs one part, and remembers how long it took.
took=()
part() {
    local name=$1 from=$SECONDS
    shift
    "$@"
    took+=("$name: $((SECONDS - from)) s")
}

part "rustfmt and clippy" make --no-print-directory lint
part "building the tests" cargo test --locked --no-run
if cargo nextest --version >/dev/null 2>&1; then
    part "SQLite" cargo nextest run --locked
    part "PostgreSQL" "$postgres" cargo nextest run --locked --profile postgres
else
    part "SQLite" cargo test --locked -- --skip nodes:: --skip kept::a_postgres
    # What profile `postgres` of .config/nextest.toml leaves out, for the reasons that stand there.
    left_out=(
        {snapshot,fail_closed,gate_by_construction,national_format,matching,openapi,tamper,witness,backup}::
        faults::{disk,commit,descriptors,clock}::
        disposal::{an_older,two_officers,a_restored,a_destruction,a_kill,another_node}
        keys::{a_pass_that,an_interrupted}
        kept::{a_sqlite,one_changed}
        accounting::a_changed_database_does_not_start
        history::a_stale_index_is_caught
        rows::edits::
        at_rest::no_planted_name_is_in_database_wal_or_logs
    )
    part "PostgreSQL" "$postgres" cargo test --locked --test gateway -- "${left_out[@]/#/--skip=}"
fi
# With the program that was built for the tests.
part "browser" node tests/browser/run.mjs
printf '%s\n' "${took[@]}"
