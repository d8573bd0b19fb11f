#!/usr/bin/env bash
# What a release offers to download, from the programs that deploy/image/build.sh made: the operator as it is, kubectl-tenant as
# archives, and the manifest by which krew installs it. The same programs give the same bytes.
#
#   deploy/release/package.sh vX.Y.Z PROGRAMS DIRECTORY      PROGRAMS/linux_amd64/openclaw-tenant-operator and linux_arm64
#
#   SOURCE_DATE_EPOCH    the time that archives carry (default: the commit's)
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
[ $# -eq 3 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}" >&2; exit 2; }
tag=$1 programs=$2 out=$3
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}
repository=$(sed -n 's/^repository = "\(.*\)"$/\1/p' "$top/Cargo.toml")

mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
platforms=
for architecture in amd64 arm64; do
  name=kubectl-tenant_linux_$architecture.tar.gz
  program=$programs/linux_$architecture/openclaw-tenant-operator
  install -m 0755 "$program" "$scratch/kubectl-tenant"
  install -m 0644 "$top/LICENSE" "$scratch/LICENSE"
  tar --create --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --directory "$scratch" \
    LICENSE kubectl-tenant | gzip --no-name --best >"$out/$name"
  install -m 0755 "$program" "$out/openclaw-tenant-operator_linux_$architecture"
  platforms+="
    - selector:
        matchLabels:
          os: linux
          arch: $architecture
      uri: $repository/releases/download/$tag/$name
      sha256: $(sha256sum "$out/$name" | cut -d' ' -f1)
      bin: kubectl-tenant"
done

cat >"$out/tenant.yaml" <<MANIFEST
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: tenant
spec:
  version: $tag
  homepage: $repository
  shortDescription: Look after OpenClaw tenants
  description: |
    Shows how tenants of openclaw-tenant-operator stand, in the cluster and in AWS, what is wrong and what to do;
    checks manifests before they are applied; lists what is kept or orphaned; gives administrators' orders.
  platforms:$platforms
MANIFEST
