#!/usr/bin/env bash
# Ends what up.sh started: the processes on this machine, the cluster, and its volumes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
"$here/../local/platform.sh" down --name kind
if command -v kind >/dev/null 2>&1; then
  kind delete cluster --name openclaw-local
fi
rm -rf /tmp/openclaw-kind
