#!/usr/bin/env bash
# Installs what the tests need from the system's packages, where it may; says exactly what is missing where not.
# cargo-nextest is optional, and not installed here: without it scripts/test.sh uses cargo's own runner.
set -euo pipefail

missing=()
command -v xmllint >/dev/null || missing+=(libxml2-utils)
command -v cc >/dev/null || missing+=(gcc)
[ -n "$(find /usr/lib/postgresql /usr/pgsql-* /usr/local -path '*/bin/initdb' 2>/dev/null)" ] || missing+=(postgresql)
{ command -v prlimit && command -v setpriv; } >/dev/null || missing+=(util-linux)
command -v pgrep >/dev/null || missing+=(procps)
# Faults of the disk and of the clock.
{ command -v fiu-ctrl >/dev/null && [ -e /usr/lib/fiu/fiu_posix_preload.so ]; } || missing+=(fiu-utils)
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(faketime)
# Networks that fall apart.
command -v ip >/dev/null || missing+=(iproute2)
command -v nft >/dev/null || missing+=(nftables)
command -v softhsm2-util >/dev/null || missing+=(softhsm2)
# A browser with its certificate store, Japanese letters for what it shows, and what drives it.
{ command -v chromium || command -v chromium-browser; } >/dev/null || missing+=(chromium)
command -v certutil >/dev/null || missing+=(libnss3-tools)
{ command -v fc-list >/dev/null && [ -n "$(fc-list :lang=ja family)" ]; } || missing+=(fontconfig fonts-noto-cjk)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)

if [ ${#missing[@]} -eq 0 ]; then
    :
elif [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
else
    echo "Missing system packages: ${missing[*]}" >&2
    echo "Install them, for example: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi

if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
    echo "Node.js 20 or later is needed for the tests in a browser; this is $(node --version)." >&2
    exit 1
fi
# What the tests in a browser are written with, exactly as the lock says; nothing that it brings is run by installing it.
browser=$(dirname "$0")/../tests/browser
if ! cmp -s "$browser/package-lock.json" "$browser/node_modules/.installed"; then
    npm ci --prefix "$browser" --ignore-scripts --no-audit --no-fund --silent || {
        echo "npm could not install what tests/browser/package-lock.json names." >&2
        exit 1
    }
    cp "$browser/package-lock.json" "$browser/node_modules/.installed"
fi
