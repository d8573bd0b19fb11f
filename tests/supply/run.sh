#!/usr/bin/env bash
# What a release is made by and made of. See README.md.
#
#   tests/supply/run.sh [files|versions|dependencies [--advisories]]     only that part
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$here/../.." && pwd -P)
platform=$top/deploy/local/platform.sh
part=${1:-all}
export PYTHONDONTWRITEBYTECODE=1
wanted() { [ "$part" = all ] || [ "$part" = "$1" ]; }

# Advisories come without a change of ours. Where their database cannot be fetched the rest is judged all the same, unless they are
# what is asked for.
advisories() {
  if (cd "$top" && "$1" fetch db); then
    (cd "$top" && "$1" --locked check advisories)
  elif [ "$2" = --advisories ]; then
    echo "supply: advisories were not judged: the RustSec database cannot be fetched" >&2
    return 1
  else
    echo "supply: skipped: advisories; the RustSec database cannot be fetched from here. The release workflow judges them"
  fi
}

if wanted files; then
  (cd "$here" && GOWORK=off go test ./...)
fi
if wanted versions; then
  OPENCLAW_HELM=$("$platform" tool helm)
  export OPENCLAW_HELM
  (cd "$here" && "$("$platform" tool python)" -m unittest --failfast test_versions test_package)
fi
if wanted dependencies; then
  deny=$("$top/deploy/release/tool.sh" cargo-deny)
  (cd "$top" && "$deny" --locked check bans licenses sources)
  advisories "$deny" "${2:-}"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  "$top/deploy/release/sbom.sh" "$scratch"
  python3 "$here/sbom.py" "$scratch"
fi
