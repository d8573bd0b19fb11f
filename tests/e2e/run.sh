#!/usr/bin/env bash
# make e2e: the tests of tests/e2e on the local platform with a real node, or all of those whose name contains the first argument. At the end
# it says how long each part took.
#
#   KUBECONFIG, OPENCLAW_TEST_CLUSTER=yes-change-this-cluster
#            use that cluster, on which the operator runs, and what platform.json beside KUBECONFIG says of it; what needs a node of the
#            platform's own is skipped, and says so
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/openclaw/install.sh
. tests/openclaw/install.sh
is_foreign=''
if [ -n "${KUBECONFIG:-}" ] && [ "${OPENCLAW_TEST_CLUSTER:-}" = yes-change-this-cluster ]; then is_foreign=yes; fi
if [ -z "$is_foreign" ] && { [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; }; then
  echo "skipped: a real node needs Linux and root"
  exit 0
fi

stages=() since=$SECONDS
# took NAME: what was done since the last one.
took() {
  stages+=("$(printf '%6d s  %s' $((SECONDS - since)) "$1")")
  since=$SECONDS
}

# The browser's program, and what drives it, outside of the checkout; without a program nobody logs in.
browser='' playwright=''
install_browser() {
  local each
  for each in chromium chromium-browser google-chrome; do
    browser=$(command -v "$each") && break
  done
  if [ -z "$browser" ]; then
    echo "skipped: the logins need Chromium (Debian: apt install chromium)"
    return 0
  fi
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    browser=''
    echo "skipped: the logins need Node with npm"
    return 0
  fi
  playwright=$(packages_of playwright tests/e2e/browser)
  [ -d "$playwright" ] || put_packages "$playwright" tests/e2e/browser
}

if [ -z "$is_foreign" ]; then
  install_openclaw
  [ -n "$packages" ] || exit 0
  took "OpenClaw and its Node, from npm"
  deploy/local/platform.sh build --real-node --openclaw "$packages"
  took "the platform's programs and the node's images"
fi
install_browser
took "what drives a browser, from npm"
cargo test --locked --test e2e --no-run
took "compile the tests"

# One at a time: they share a node of two cores, and its tables are printed. The lines that say which test begins tell how long each took.
skipped=()
[ -n "$browser" ] || skipped=(--skip login::)
export OPENCLAW_TEST_PACKAGES=$packages OPENCLAW_TEST_BROWSER=$browser OPENCLAW_TEST_PLAYWRIGHT=$playwright
exec python3 tests/e2e/times.py "$SECONDS" "${stages[@]}" -- \
  cargo test --locked --test e2e -- --ignored --nocapture --test-threads=1 "${skipped[@]+"${skipped[@]}"}" "${1:-}"
