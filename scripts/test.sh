#!/usr/bin/env bash
# Runs every test, on SQLite and on a throwaway PostgreSQL. Uses cargo-nextest where it is installed, cargo's own runner
# where not; that one runs on PostgreSQL only what needs it.
set -euo pipefail
postgres=$(dirname "$0")/with_postgres.sh

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked
    "$postgres" cargo nextest run --locked --profile postgres
else
    cargo test --locked -- --skip nodes::
    "$postgres" cargo test --locked --test gateway nodes::
fi
