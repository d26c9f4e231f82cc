#!/usr/bin/env bash
# Runs a command with TEST_POSTGRES naming a throwaway PostgreSQL server of its own, and removes the server afterwards.
# The server listens on a socket in a temporary directory and on no network.
set -euo pipefail

bin=$(find /usr/lib/postgresql /usr/pgsql-* /usr/local -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1 || true)
if [ -z "$bin" ]; then
    echo "No PostgreSQL server programs were found; install PostgreSQL 15 or later." >&2
    exit 1
fi
bin=$(dirname "$(readlink -f "$bin")")
home=$(mktemp -d "${TMPDIR:-/tmp}/tsunagi-postgres.XXXXXX")

# The server refuses to run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$home"
    as=(runuser -u postgres --)
fi
chmod 755 "$home"

remove() {
    [ ! -f "$home/data/postmaster.pid" ] || (cd / && "${as[@]}" "$bin/pg_ctl" -D "$home/data" -m immediate stop >/dev/null) || true
    rm -rf "$home"
}
trap remove EXIT
trap 'exit 130' INT TERM

(
    cd /
    "${as[@]}" "$bin/initdb" -D "$home/data" -U postgres -A trust --data-checksums >/dev/null
    "${as[@]}" "$bin/pg_ctl" -D "$home/data" -l "$home/log" -w -t 60 start \
        -o "-c listen_addresses='' -c unix_socket_directories='$home' -c max_connections=400" >/dev/null
)
TEST_POSTGRES="postgres://postgres@${home//\//%2F}" POSTGRES_PROGRAMS=$bin "$@"
