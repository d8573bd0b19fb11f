#!/usr/bin/env bash
# The chart's dashboard over what real processes of the operator say, read by a real Prometheus; and that names and units follow its
# conventions, by promtool. See README.md.
#
#   tests/dashboard/run.sh                  the tests
#   tests/dashboard/run.sh --picture FILE   over more tenants and some minutes, and draws what is seen then
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$here/../.." && pwd -P)
platform=$top/deploy/local/platform.sh
export PYTHONDONTWRITEBYTECODE=1
case "${1:-} ${2:+file}" in
  " ") picture='' ;;
  "--picture file") picture=$2 ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

OPENCLAW_PROMETHEUS=$("$platform" tool prometheus)
OPENCLAW_PROMTOOL=$("$platform" tool promtool)
python=$("$platform" tool python)
# shellcheck source=tests/chart/tools.sh
. "$here/../chart/tools.sh"
with_helm
with_operator
export OPENCLAW_PROMTOOL OPENCLAW_PROMETHEUS
cd "$here"
if [ -z "$picture" ]; then
  "$python" -m unittest --failfast test_dashboard
else
  OPENCLAW_DASHBOARD_TENANTS=30 OPENCLAW_DASHBOARD_PAUSE=25 OPENCLAW_DASHBOARD_DATA=$scratch/data.json "$python" -m unittest --failfast test_dashboard
  python3 -m venv "$scratch/python"
  "$scratch/python/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  "$scratch/python/bin/python" "$here/draw.py" "$scratch/data.json" "$picture"
  if [ -n "${OPENCLAW_DASHBOARD_KEEP:-}" ]; then cp "$scratch/data.json" "$OPENCLAW_DASHBOARD_KEEP"; fi
fi
