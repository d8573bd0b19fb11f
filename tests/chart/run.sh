#!/usr/bin/env bash
# The chart: what it renders and refuses, its alerts by promtool, and the life of a release on a local platform of its own, by the
# real helm. See README.md.
#
#   tests/chart/run.sh [templates|alerts|cluster]     only that part
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$here/../..
platform=$top/deploy/local/platform.sh
part=${1:-all}
export PYTHONDONTWRITEBYTECODE=1

OPENCLAW_HELM=$("$platform" tool helm)
export OPENCLAW_HELM
python=$("$platform" tool python)
# helm keeps nothing where the person who runs this keeps theirs.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HELM_CACHE_HOME=$scratch/cache HELM_CONFIG_HOME=$scratch/config HELM_DATA_HOME=$scratch/data

cd "$here"
wanted() { [ "$part" = all ] || [ "$part" = "$1" ]; }

if wanted templates; then
  "$python" -m unittest --failfast test_values test_templates
fi
if wanted alerts; then
  promtool=$("$platform" tool promtool)
  "$python" alerts.py "$scratch"
  "$promtool" check rules --lint=all --lint-fatal "$scratch/alerts.yaml"
  "$promtool" test rules "$scratch/test.yaml"
fi
if wanted cluster; then
  (cd "$top" && cargo build --locked --quiet --bin openclaw-tenant-operator)
  target=$(cd "$top" && cargo metadata --locked --no-deps --format-version 1 | "$python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  OPENCLAW_MONITORING_CRDS=$("$platform" tool prometheus-operator)
  export OPENCLAW_MONITORING_CRDS
  OPENCLAW_OPERATOR=$target/debug/openclaw-tenant-operator "$python" test_cluster.py
fi
