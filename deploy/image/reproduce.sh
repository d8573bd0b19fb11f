#!/usr/bin/env bash
# Whether two builds of this commit give the same program: one of the whole checkout, one in a directory elsewhere of nothing but what
# the Dockerfile copies, each from nothing. And whether it is static, names no path of this machine, and runs. Takes as long as two
# release builds.
#
#   deploy/image/reproduce.sh [TARGET [FILE]]     default: x86_64-unknown-linux-musl; FILE: where to keep the program
#
# What is not committed is not built.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
target=${1:-x86_64-unknown-linux-musl}
OPENCLAW_REVISION=$(git -C "$top" rev-parse HEAD)
export OPENCLAW_REVISION

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
whole=$scratch/a part=$scratch/another/of-a-longer-name
mkdir -p "$whole" "$part"
mapfile -t copied < <(sed -n 's/^COPY \([^-].*\) [^ ]*$/\1/p' "$top/Dockerfile" | tr ' ' '\n')
[ "${#copied[@]}" -gt 0 ] || { echo "reproduce.sh: the Dockerfile copies nothing" >&2; exit 1; }
git -C "$top" archive HEAD | tar --extract --directory "$whole"
git -C "$top" archive HEAD "${copied[@]}" rust-toolchain.toml | tar --extract --directory "$part"
for place in "$whole" "$part"; do
  CARGO_TARGET_DIR=$place/target/image "$place/deploy/image/build.sh" "$target" "$place/program"
  rm -rf "$place/target"
done

if ! cmp "$whole/program" "$part/program"; then
  kept=$(mktemp -d)
  cp "$whole/program" "$kept/one" && cp "$part/program" "$kept/other"
  echo "reproduce.sh: two builds differ; they are kept in $kept" >&2
  exit 1
fi
program=$part/program
if readelf --program-headers --wide "$program" | grep -q INTERP || readelf --dynamic --wide "$program" | grep -q NEEDED; then
  echo "reproduce.sh: the program is not static: it names a loader or a library" >&2
  exit 1
fi
if grep --text --only-matching --max-count=3 -F -e "$scratch" -e "$HOME/" -e "$top/" "$program"; then
  echo "reproduce.sh: the program names paths of this machine" >&2
  exit 1
fi
if [ "$target" = "$(uname -m)-unknown-linux-musl" ]; then
  env --ignore-environment "$program" --version
  env --ignore-environment "$program" --help >/dev/null
fi
[ -z "${2:-}" ] || install -D -m 0755 "$program" "$2"
echo "reproduce.sh: the same $(stat -c %s "$program") bytes twice: $(sha256sum "$program" | cut -d' ' -f1)"
