#!/usr/bin/env bash
# Tenants, and the examples in deploy/gitops, judged by the code of the GitOps programs themselves. See README.md.
#
#   tests/gitops/run.sh [argocd|flux|manifests]     only that part
#   tests/gitops/run.sh build                       compiles what the first run takes minutes for
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$here/../..
platform=$top/deploy/local/platform.sh
part=${1:-all}
export PYTHONDONTWRITEBYTECODE=1

# The flags of the local platform's builds: what both need is compiled once. What is judged lies outside of the modules, where Go does not
# see it change: nothing of an earlier run counts. Vetting would go through everything that Argo CD is built from.
go_tests() {
  (cd "$here/$1" && shift && GOWORK=off CGO_ENABLED=0 go test -mod=readonly -trimpath -vet=off -count=1 "$@" ./...)
}
if [ "$part" = build ]; then
  go_tests argocd -run '^$'
  go_tests flux -run '^$'
  exit
fi
wanted() { [ "$part" = all ] || [ "$part" = "$1" ]; }

if wanted manifests; then
  python=$("$platform" tool python)
  "$python" "$here/schema.py" "$top/deploy/gitops/tenants" "$top/deploy/gitops/class"
  (cd "$top" && cargo run --quiet --locked -- check --class deploy/gitops/class deploy/gitops/tenants)
fi
if wanted argocd; then
  # shellcheck source=tests/chart/tools.sh
  . "$here/../chart/tools.sh"
  with_helm
  go_tests argocd
fi
if wanted flux; then
  go_tests flux
fi
