#!/usr/bin/env bash
# Tests of the scripts that run in a workspace (tests/resolver), under Node as in the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || true
if [ "${major:-0}" -lt 20 ]; then
  echo "skipped: the scripts of a workspace are tested under Node 20 or newer, which is not installed"
  exit 0
fi
exec node --test tests/resolver/*.test.mjs
