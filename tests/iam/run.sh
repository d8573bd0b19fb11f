#!/usr/bin/env bash
# Judges the operator's IAM documents, as it generates them, by an evaluator of IAM's policy language, and shows that the proof
# of prove.sh finds what it is for. Ends with "N passed, N failed". evaluator.sh says what may be set.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

# shellcheck source=tests/iam/evaluator.sh
. "$here/evaluator.sh"
install_evaluator
[ -n "$packages" ] || exit 0

documents=$(mktemp -d)
trap 'rm -rf "$documents"' EXIT
common=(--kms-key-arn arn:aws:kms:eu-west-1:111122223333:key/1 --model anthropic.claude-haiku-4-5-20251001-v1:0
  --model eu=anthropic.claude-sonnet-4-5-20250929-v1:0 --model-discovery)
# The same name twice: its first incarnation, and its namesake after it.
generate "${common[@]}" --incarnation aaaaaaaaaa --output "$documents/old"
generate "${common[@]}" --incarnation bbbbbbbbbb --output "$documents/new"

OPENCLAW_IAM_PACKAGES=$packages OPENCLAW_IAM_DOCUMENTS=$documents node "$here/matrix.mjs"
