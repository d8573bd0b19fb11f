#!/usr/bin/env bash
# Runs the tests, and then examines what they left behind: see README.md. Ends with "N passed, N failed".
#
#   tests/evidence/run.sh COMMAND ARGS…
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
output=$here/../output
evidence=$(mkdir -p "$output" && cd "$output" && pwd -P)/evidence

# Values are in it, and some hundred megabytes of databases.
remove() { rm -rf "$evidence"; }
remove
mkdir -m 700 "$evidence"
trap remove EXIT

OPENCLAW_EVIDENCE_DIR=$evidence "$@"

matrix=$output/aws-fault-matrix.md
if [ -f "$matrix" ]; then cat "$matrix"; fi
PYTHONDONTWRITEBYTECODE=1 python3 "$here/check.py" "$evidence" "$output/aws-calls.json"
