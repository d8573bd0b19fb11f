#!/usr/bin/env bash
# Proves the operator's own policies by what it asked of AWS: every kind of call that was recorded (tests/evidence/calls.py) is
# allowed by the policy of its mode, rendered for the cluster that it was asked for, and no right of either policy could be
# taken away without one of them being refused. Ends with "N passed, N failed". evaluator.sh says what may be set.
#
#   tests/iam/prove.sh CALLS.json
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
calls=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$here/../.."

# shellcheck source=tests/iam/evaluator.sh
. "$here/evaluator.sh"
install_evaluator
[ -n "$packages" ] || exit 0

documents=$(mktemp -d)
trap 'rm -rf "$documents"' EXIT
# One line for each place: a directory's name, and how the policies are rendered for it.
places=$(node "$here/places.mjs" "$calls")
while read -r -a place; do
  generate "${place[@]:1}" --output "$documents/${place[0]}" </dev/null
done <<<"$places"

OPENCLAW_IAM_PACKAGES=$packages OPENCLAW_IAM_DOCUMENTS=$documents node "$here/prove.mjs" "$calls"
