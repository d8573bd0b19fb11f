#!/usr/bin/env bash
# The local platform's entrance: builds the program behind it when it changed, and hands over. --help explains.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${OPENCLAW_PLATFORM_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither OPENCLAW_PLATFORM_CACHE nor HOME is set}/.cache}/openclaw-tenant-operator}

need() {
  command -v "$1" >/dev/null 2>&1 || { echo "platform.sh: $1 is not installed; $2" >&2; exit 1; }
}
need go "the local platform is built with Go 1.26 or newer (https://go.dev/doc/install)"
need python3 "the AWS emulators need Python 3.10 or newer with venv (Debian: apt install python3 python3-venv)"

hash_of() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi
}
sources() {
  cd "$here/platform"
  find . -type f \( -name '*.go' -o -name '*.yaml' -o -name 'go.*' \) ! -name '*_test.go' | LC_ALL=C sort | while read -r file; do
    echo "$file"
    cat "$file"
  done
}
key=$({ sources; go env GOVERSION GOOS GOARCH; } | hash_of | cut -c1-16)
program=$cache/platform/$key/platform

if [ ! -x "$program" ]; then
  echo "platform.sh: building itself (under a minute the first time)" >&2
  mkdir -p "${program%/*}"
  scratch=$(mktemp "${program%/*}/build.XXXXXX")
  trap 'rm -f "$scratch"' EXIT
  if ! (cd "$here/platform" && GOWORK=off CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags '-s -w' -o "$scratch" .); then
    echo "platform.sh: the build failed; Go 1.26 or newer is needed, this is $(go env GOVERSION)" >&2
    exit 1
  fi
  mv "$scratch" "$program" # in one step: another start may be doing the same
  trap - EXIT
fi
OPENCLAW_PLATFORM_SOURCE=$here exec "$program" "$@"
