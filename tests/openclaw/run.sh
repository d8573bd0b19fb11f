#!/usr/bin/env bash
# Lets OpenClaw itself take up what the operator makes: see README.md. install.sh says what may be set.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

# shellcheck source=tests/openclaw/install.sh
. "$here/install.sh"
install_openclaw
[ -n "$packages" ] || exit 0

OPENCLAW_TEST_PACKAGES=$packages exec cargo test --locked --test it "${1:-openclaw::}" -- --ignored
