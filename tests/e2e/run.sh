#!/usr/bin/env bash
# make e2e: the tests of tests/e2e on the local platform with a real node, or all of those whose name contains the first argument.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/openclaw/install.sh
. tests/openclaw/install.sh
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
  echo "skipped: a real node needs Linux and root"
  exit 0
fi
install_openclaw
[ -n "$packages" ] || exit 0
# One at a time: they share a node of two cores, and its tables are printed.
OPENCLAW_TEST_PACKAGES=$packages exec cargo test --locked --test e2e -- --ignored --nocapture --test-threads=1 "${1:-}"
