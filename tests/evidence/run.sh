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

# Platforms write for a while after the tests that they were for; what is still written to is not removed, or their
# complaints would bury what the tests said.
code=0
OPENCLAW_EVIDENCE_DIR=$evidence "$@" || code=$?
if [ "$code" -ne 0 ]; then
  PYTHONDONTWRITEBYTECODE=1 python3 "$here/check.py" --wait "$evidence" || true
  exit "$code"
fi

matrix=$output/aws-fault-matrix.md
if [ -f "$matrix" ]; then cat "$matrix"; fi
PYTHONDONTWRITEBYTECODE=1 python3 "$here/check.py" "$evidence" "$output/aws-calls.json"
