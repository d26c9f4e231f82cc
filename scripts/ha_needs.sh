#!/usr/bin/env bash
# Finds what `make ha-test` needs beyond `make test`: etcd, HAProxy, PostgreSQL 15, and Patroni in an environment of its
# own. Installs it where it may; says exactly what is missing where not. Prints the Python to run the test with.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v etcd >/dev/null || missing+=(etcd-server)
command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || missing+=(haproxy)
command -v openssl >/dev/null || missing+=(openssl)
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing+=(postgresql-15)
/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        # Debian starts a service as soon as it is installed; none of these is wanted as one.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            printf '#!/bin/sh\nexit 101\n' >$policy
            chmod +x $policy
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    else
        echo "Missing system packages: ${missing[*]}" >&2
        echo "Install them, for example: sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi

# Run by root, Patroni runs as postgres, who may not be able to look into this checkout, nor into root's own Python.
if [ "$(id -u)" -eq 0 ]; then venv=/opt/tsunagi-ha-test; else venv=var/ha/venv; fi
# Patroni under 4 knows no quorum commit.
if ! $venv/bin/python -c 'import patroni, psycopg' 2>/dev/null; then
    (umask 022 && /usr/bin/python3 -m venv $venv)
    (umask 022 && $venv/bin/pip install --quiet --disable-pip-version-check 'patroni[etcd3]>=4.1,<5' 'psycopg[binary]>=3.2,<4' >&2)
fi
echo $venv/bin/python
