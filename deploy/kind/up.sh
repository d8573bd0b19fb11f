#!/usr/bin/env bash
# Makes the cluster of kind-config.yaml and starts beside it, on this machine: the AWS emulators and their proxy, the Pod
# Identity webhook, the stand-in for the Gateway and the provisioner. down.sh ends all of it.
#
# What has never been run: this script as a whole, since it was written where no container engine runs. The program that it
# starts has been: against a cluster without kubelets, with the same flags.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$here/../..
state=/tmp/openclaw-kind
cluster=openclaw-local

fail() { echo "deploy/kind/up.sh: $*" >&2; exit 1; }

engine=
for candidate in docker podman; do
  if command -v "$candidate" >/dev/null 2>&1 && "$candidate" info >/dev/null 2>&1; then engine=$candidate; break; fi
done
[ -n "$engine" ] || fail "no container engine answers ('docker info' and 'podman info' fail); start one, or use deploy/local/platform.sh, which needs none"
command -v kind >/dev/null 2>&1 || fail "kind is not installed (https://kind.sigs.k8s.io/docs/user/quick-start)"
case $(id -u) in
  0 | 1000) ;;
  *) fail "volumes must belong to user 1000, the workspace's; run this as that user or as root" ;;
esac

mkdir -p "$state/volumes"
if ! kind get clusters 2>/dev/null | grep -qx "$cluster"; then
  kind create cluster --config "$top/kind-config.yaml" --wait 180s ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"}
fi
(umask 077 && kind get kubeconfig --name "$cluster" >"$state/kubeconfig")

# The API server's container must reach the webhook here. On Linux that is the address of the engine's bridge; the engines
# for macOS give this machine a name and pass its connections on to loopback.
if [ "$(uname -s)" = Linux ]; then
  listen=$("$engine" network inspect kind --format '{{range .IPAM.Config}}{{.Gateway}} {{end}}' 2>/dev/null | tr ' ' '\n' | grep -m1 -E '^[0-9.]+$' || true)
  [ -n "$listen" ] || fail "the engine's network 'kind' has no IPv4 gateway, so the API server could not reach the webhook"
  host=$listen
else
  listen=127.0.0.1
  host=host.docker.internal
fi

exec "$here/../local/platform.sh" up --name kind --attach "$state/kubeconfig" \
  --webhook-listen "$listen" --webhook-host "$host" \
  --volumes "$state/volumes" --node-volumes /var/local/openclaw-volumes
