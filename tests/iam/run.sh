#!/usr/bin/env bash
# Judges the operator's IAM documents, as it generates them, by an evaluator of IAM's policy language. What npm installs is
# kept outside of the checkout. Ends with "N passed, N failed".
#
#   OPENCLAW_OPERATOR        the program that generates the documents (default: built by cargo)
#   OPENCLAW_PLATFORM_CACHE  where npm's packages are kept (default: ${XDG_CACHE_HOME:-~/.cache}/openclaw-tenant-operator)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || true
if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null 2>&1; then
  echo "skipped: IAM policies are judged under Node 20 or newer with npm, which is not installed"
  exit 0
fi

# One directory for each lock file, complete once its last file is there.
cache=${OPENCLAW_PLATFORM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/openclaw-tenant-operator}
lock=$(node -p 'require("crypto").createHash("sha256").update(require("fs").readFileSync(process.argv[1])).digest("hex").slice(0, 16)' "$here/package-lock.json")
packages=$cache/iam-evaluator/$lock
if [ ! -e "$packages/complete" ]; then
  mkdir -p "$packages"
  cp "$here/package.json" "$here/package-lock.json" "$packages/"
  npm ci --prefix "$packages" --ignore-scripts --no-audit --no-fund --loglevel=error
  touch "$packages/complete"
fi

if [ -n "${OPENCLAW_OPERATOR:-}" ]; then
  generate=("$OPENCLAW_OPERATOR")
else
  generate=(cargo run --quiet --locked --)
fi
documents=$(mktemp -d)
trap 'rm -rf "$documents"' EXIT
common=(--kms-key-arn arn:aws:kms:eu-west-1:111122223333:key/1 --model anthropic.claude-haiku-4-5-20251001-v1:0
  --model eu=anthropic.claude-sonnet-4-5-20250929-v1:0 --model-discovery)
# The same name twice: its first incarnation, and its namesake after it.
"${generate[@]}" iam "${common[@]}" --incarnation aaaaaaaaaa --output "$documents/old"
"${generate[@]}" iam "${common[@]}" --incarnation bbbbbbbbbb --output "$documents/new"

OPENCLAW_IAM_PACKAGES=$packages OPENCLAW_IAM_DOCUMENTS=$documents node "$here/matrix.mjs"
