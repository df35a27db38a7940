#!/bin/sh
# Installs coldsnap, AWS's own program for EBS direct, and runs it against the served EC2. Building it takes about 13 minutes of CPU time and
# 5.5 GB of memory.   usage: coldsnap.sh   COLDSNAP_ROOT: where it is installed
set -eu
root=${COLDSNAP_ROOT:-/var/tmp/coldsnap}
command -v cargo >/dev/null || { echo "error: this needs cargo, from https://rustup.rs" >&2; exit 3; }
cargo install --quiet --locked --root "$root" coldsnap
CHROOTFILE_COLDSNAP=$root/bin/coldsnap exec npx tsx test/run.ts -j 1 test/outside/coldsnap.ts
