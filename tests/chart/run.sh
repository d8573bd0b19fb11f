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

python=$("$platform" tool python)
# shellcheck source=tests/chart/tools.sh
. "$here/tools.sh"
with_helm

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
  with_operator
  OPENCLAW_MONITORING_CRDS=$("$platform" tool prometheus-operator)
  export OPENCLAW_MONITORING_CRDS
  "$python" test_cluster.py
fi
