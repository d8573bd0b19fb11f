#!/usr/bin/env bash
# What the program is made of, as CycloneDX: one file for each architecture, of the crates that are linked into it. The same commit gives
# the same bytes.
#
#   deploy/release/sbom.sh DIRECTORY
#
#   SOURCE_DATE_EPOCH    the time that the files carry (default: the commit's)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$here/../.." && pwd -P)
[ $# -eq 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd -P)
name=openclaw-tenant-operator
cyclonedx=$("$here/tool.sh" cargo-cyclonedx)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}

# It writes beside the manifest, and names the program by where that is.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
scratch=$(cd "$scratch" && pwd -P)
cp "$top/Cargo.toml" "$top/Cargo.lock" "$scratch"
for entry in src tests rust-toolchain.toml; do ln -s "$top/$entry" "$scratch/$entry"; done
for pair in amd64=x86_64-unknown-linux-musl arm64=aarch64-unknown-linux-musl; do
  (cd "$scratch" && "$cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --no-build-deps --target "${pair#*=}")
  (cd "$scratch" && python3 "$here/linked.py" "${name}_bin.cdx.json" "${pair#*=}") |
    sed "s|path+file://$scratch|path+file:///$name|g" >"$out/${name}_linux_${pair%%=*}.cdx.json"
done
