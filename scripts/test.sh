#!/usr/bin/env bash
# Runs every test. Uses cargo-nextest where it is installed, cargo's own runner where not.
set -euo pipefail

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked
else
    cargo test --locked
fi
