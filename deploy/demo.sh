#!/usr/bin/env bash
# make demo, make demo-node, make demo-down: the operator at work on the local platform, with three tenants.
#
#   deploy/demo.sh up        builds, starts the platform, installs, starts the operator as its own ServiceAccount, applies the
#                            tenants of deploy/examples and waits until all are Ready; again, it brings all of it up to date
#   deploy/demo.sh operator  the same without the tenants
#   deploy/demo.sh node      as up, on a platform with a real node, in whose pods OpenClaw itself runs (Linux, root)
#   deploy/demo.sh down      ends operator and platform, of both; nothing is left
#
# OPENCLAW_DEMO_NAME (default: demo; with a real node demo-node) names the platform's instance; OPENCLAW_DEMO_SECONDS (default: 180)
# is how long to wait for the operator, and for the tenants.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
kind=${1:-} of_its_kind=demo
[ "$kind" != node ] || of_its_kind=demo-node
name=${OPENCLAW_DEMO_NAME:-$of_its_kind}
patience=${OPENCLAW_DEMO_SECONDS:-180}
platform=$top/deploy/local/platform.sh
look=$top/deploy/demo/look.py
account=openclaw-system/openclaw-tenant-operator
tenants=(alice bob carol)
kinds=resourcequota,limitrange,networkpolicy,poddisruptionbudget,serviceaccount,persistentvolumeclaim,configmap,service,statefulset,pod,httproute
kind_and_name=--output=custom-columns=KIND:.kind,NAME:.metadata.name

bold='' dim='' red='' plain=''
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'
fi

stage_name='' stage_start=0 stages=()
stage() {
  stage_end
  stage_name=$1 stage_start=$(now)
  printf '%s==> %s%s\n' "$bold" "$1" "$plain"
}
stage_end() {
  [ -n "$stage_name" ] || return 0
  stages+=("$(printf '%7ss  %s' "$(since "$stage_start")" "$stage_name")")
  stage_name=''
}
# Seconds with one digit: bash 3.2, which macOS has, knows whole ones only.
now() { python3 -c 'import time; print("%.1f" % time.time())'; }
since() { python3 -c 'import sys, time; print("%.1f" % (time.time() - float(sys.argv[1])))' "$1"; }

log='' dir='' pid='' started=''
fail() {
  printf '\n%smake demo: %s%s\n' "$red" "$1" "$plain" >&2
  if [ -n "$log" ] && [ -s "$log" ]; then
    printf '\nThe last lines of the operator'"'"'s log, %s:\n' "$log" >&2
    tail -n 25 "$log" | cut -c1-400 | sed 's/^/  /' >&2
  fi
  printf '\n%s\n' "${2:-Platform and operator are left as they are, to be looked at; end them with: make demo-down}" >&2
  exit 1
}

trap 'printf "\nmake demo: interrupted; what runs already ends with: make demo-down\n" >&2; exit 130' INT TERM

need() {
  command -v "$1" >/dev/null 2>&1 || fail "$1 is not installed: $2" "Install it and run make demo again."
}

# The operator of an earlier demo, if the process is still that.
operator_pid() {
  local pid
  pid=$(cat "$1/operator/pid" 2>/dev/null) || return 1
  ps -o args= -p "$pid" 2>/dev/null | grep -q 'openclaw-tenant-operator run' || return 1
  echo "$pid"
}

# It gives the Lease back and ends by itself; what does not is ended.
stop_operator() {
  local pid deadline
  pid=$(operator_pid "$1") || return 0
  kill "$pid" 2>/dev/null || return 0
  deadline=$((SECONDS + 30))
  while kill -0 "$pid" 2>/dev/null; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "the operator (process $pid) did not end within 30 s and is killed" >&2
      kill -9 "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
  done
  rm -f "$1/operator/pid"
}

# kubectl wait gives up at once on a CRD whose status is still empty, so it is asked again.
established() {
  local deadline=$((SECONDS + 30))
  until kubectl wait --for=condition=Established --timeout=5s crd/tenants.openclaw.io crd/tenantclasses.openclaw.io crd/tenantrecords.openclaw.io; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# Chained, because what is asked with || goes on after a failure.
install() {
  local apply=(kubectl apply --server-side --force-conflicts) rights=$top/deploy/operator
  "${apply[@]}" -f "$top/crds/" &&
    established &&
    "${apply[@]}" -k "$top/deploy/policies" &&
    "${apply[@]}" -f "$rights/namespace.yaml" -f "$rights/service-account.yaml" -f "$rights/rbac.yaml" &&
    "${apply[@]}" -f "$top/deploy/examples/class-local.yaml"
}

# The documents for this cluster, as the operator's own program renders them. The UID tells clusters of one name apart.
give_role() {
  local uid
  uid=$(kubectl get namespace kube-system --output=jsonpath='{.metadata.uid}') &&
    "$dir/operator/openclaw-tenant-operator" iam --cluster-arn "$OPENCLAW_CLUSTER_ARN" --cluster-uid "$uid" --output "$dir/operator/iam" &&
    "$OPENCLAW_PLATFORM_PYTHON" "$look" role "$dir/operator/iam"
}

instance_dir() { echo "${TMPDIR:-/tmp}/openclaw-platform-$(id -u)/$1"; }

# What a platform with a real node needs more, and the operator on it.
real_node=() of_node=()
openclaw() {
  stage "OpenClaw and its Node, from npm"
  # shellcheck source=tests/openclaw/install.sh
  . "$top/tests/openclaw/install.sh"
  install_openclaw
  [ -n "$packages" ] || fail "a real node needs OpenClaw, which cannot be had here; why is said above" "make demo needs less."
  real_node=(--real-node --openclaw "$packages") of_node=(--dns-addresses 10.96.0.10)
}

# What the class of a real node says otherwise. Secrets Manager is emulated on an address of this machine, which workspaces may connect to
# only if their class says so; and the Gateway ends TLS, without which OpenClaw's page lets nobody in.
fit_class() {
  local address=${AWS_ENDPOINT_URL_SECRETS_MANAGER#http://}
  kubectl patch tenantclass default --type json --patch-file /dev/stdin >/dev/null <<END
[
  { "op": "add", "path": "/spec/network/cidrs", "value": [{ "cidr": "${address%:*}/32", "ports": [${address##*:}] }] },
  { "op": "replace", "path": "/spec/routing/gateways/0/sectionName", "value": "https" },
  { "op": "replace", "path": "/spec/routing/gateways/0/scheme", "value": "https" }
]
END
}

operator() {
  local target config port
  started=$(now)
  need cargo "the operator is written in Rust (https://rustup.rs)"
  need go "the local platform is built with Go 1.26 or newer (https://go.dev/doc/install)"
  need python3 "the AWS emulators need Python 3.10 or newer"
  [ "$kind" != node ] || openclaw

  stage "build the operator"
  (cd "$top" && cargo build --locked --bin openclaw-tenant-operator) || fail "the build failed; cargo says why above" "Mend it and run make demo again."
  target=$(cd "$top" && cargo metadata --locked --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

  stage "start the local platform"
  "$platform" up --name "$name" "${real_node[@]+"${real_node[@]}"}" >/dev/null || fail "the local platform did not start; it says why above" "Ask for help with: deploy/local/platform.sh --help"
  eval "$("$platform" env --name "$name")"
  unset AWS_PROFILE AWS_SESSION_TOKEN # of the person's own account, which this is not
  dir=$(dirname "$KUBECONFIG")
  mkdir -p "$dir/operator"
  stop_operator "$dir"
  log=$dir/operator/log
  : >"$log"
  # A copy, so that a build while the demo runs does not change the program under it.
  cp -f "$target/debug/openclaw-tenant-operator" "$dir/operator/openclaw-tenant-operator"

  stage "install CRDs, rights, policies and the class"
  install >"$dir/operator/install.log" 2>&1 || { cat "$dir/operator/install.log" >&2; fail "the cluster did not take it"; }
  printf '%s' "$dim"; sed 's/^/  /' "$dir/operator/install.log"; printf '%s' "$plain"

  [ "$kind" != node ] || fit_class || fail "the class did not take what a real node has otherwise"
  eval "$(cluster "$dir/platform.json")"
  stage "give the tenants' role in AWS its trust and permissions (deploy/aws)"
  give_role >"$dir/operator/role.log" 2>&1 || { cat "$dir/operator/role.log" >&2; fail "the account did not take it"; }

  stage "start the operator as $account"
  config=$dir/operator/kubeconfig
  "$platform" kubeconfig --name "$name" --service-account "$account" --out "$config"
  port=$(python3 "$look" port)
  KUBECONFIG=$config nohup "$dir/operator/openclaw-tenant-operator" run \
    --cluster-arn "$OPENCLAW_CLUSTER_ARN" --cluster-cidrs 10.96.0.0/16,10.244.0.0/16 \
    --emulator-endpoint "$AWS_ENDPOINT_URL_SECRETS_MANAGER" --health-address "127.0.0.1:$port" \
    "${of_node[@]+"${of_node[@]}"}" </dev/null >"$log" 2>&1 &
  pid=$!
  disown
  echo "$pid" >"$dir/operator/pid"
  python3 "$look" ready "http://127.0.0.1:$port/readyz" "$pid" "$patience" || fail "the operator did not become ready"
  stage_end
}

up() {
  operator
  stage "three tenants: ${tenants[*]}"
  python3 "$look" tenants "$top/deploy/examples/tenants.yaml" "$pid" "$patience" "${tenants[@]}" ||
    fail "not every tenant became Ready; 'kubectl describe tenant NAME' tells more"
  kubectl wait --for=condition=RoleReady --timeout="${patience}s" tenantclass/default >/dev/null ||
    fail "the class is not content with its role; 'kubectl describe tenantclass default' tells more"
  stage_end

  printf '\n%sIn Kubernetes%s\n' "$bold" "$plain"
  kubectl get tenants -o wide
  echo
  kubectl get tenantrecords
  printf '\n%sWhat alice became%s\n' "$bold" "$plain"
  {
    kubectl get namespace openclaw-alice "$kind_and_name" --no-headers
    kubectl get "$kinds" --namespace openclaw-alice --selector openclaw.io/tenant=alice "$kind_and_name" --no-headers
  } | awk '{ printf "  %-22s %s\n", $1, $2 }'
  printf '\n%sIn AWS (emulated)%s\n' "$bold" "$plain"
  "$OPENCLAW_PLATFORM_PYTHON" "$look" account || fail "the emulated account could not be read"

  printf '\n%sHow long it took%s\n' "$bold" "$plain"
  printf '%s\n' "${stages[@]}"
  printf '%7ss  together\n' "$(since "$started")"
  if [ "$kind" = node ]; then what_runs; else
    printf '\nNothing runs in these pods: the nodes are played, and the addresses lead nowhere.\n'
  fi
  cat <<END

${bold}Go on from here${plain}
  eval "\$(deploy/local/platform.sh env --name $name)"    kubectl and the AWS endpoints, for this shell
  kubectl describe tenant alice                            how she stands, part by part, and what happened
  kubectl delete statefulset alice -n openclaw-alice       watch it come back; what shuts her in is refused to be deleted
  kubectl patch tenant alice --type merge -p '{"spec":{"suspend":true}}'     and false, to let her in again
  tail -f $log
  make demo-down                                        end it; nothing is left
END
}

what_runs() {
  printf '\n%sWhat runs in alice'"'"'s pod%s\n' "$bold" "$plain"
  in_alice node openclaw.mjs --version | sed 's/^/  OpenClaw: /' || fail "OpenClaw does not answer in alice's pod"
  cat <<END

Real pods run on a real node, packets that the policies forbid are dropped, and a real gateway leads to them as the routes say.

  curl --insecure --connect-to ::$OPENCLAW_GATEWAY_ADDRESS https://alice.openclaw.local/     her page, through the gateway
  chromium --no-sandbox --user-data-dir=/tmp/openclaw-demo --ignore-certificate-errors --host-resolver-rules="MAP * $OPENCLAW_GATEWAY_ADDRESS" \\
    "\$("\$OPENCLAW_PLATFORM_PYTHON" deploy/demo/look.py page alice)"     the same in a browser, logged in (its sandbox is not for root)
  kubectl exec -it -n openclaw-alice alice-0 -c gateway -- bash     a shell in alice's workspace: try to get out of it
  kubectl port-forward -n openclaw-alice pod/alice-0 18789          her gateway on http://127.0.0.1:18789
END
}

in_alice() { kubectl exec --namespace openclaw-alice alice-0 --container gateway -- "$@"; }

# The cluster as the operator is told of it, from the platform's description of itself.
cluster() {
  python3 - "$1" <<'END'
import json, shlex, sys
platform = json.load(open(sys.argv[1]))
aws, gateway = platform["aws"], platform["gateway"].get("secureAddress", "")
print(f"export OPENCLAW_CLUSTER_NAME={shlex.quote(aws['clusterName'])} OPENCLAW_CLUSTER_ARN={shlex.quote(aws['clusterArn'])}"
      f" OPENCLAW_TENANT_ROLE={shlex.quote(aws['tenantRoleArn'])} OPENCLAW_GATEWAY_ADDRESS={shlex.quote(gateway)}")
END
}

down() {
  local each all=(demo demo-node)
  [ -z "${OPENCLAW_DEMO_NAME:-}" ] || all=("$OPENCLAW_DEMO_NAME")
  for each in "${all[@]}"; do
    stop_operator "$(instance_dir "$each")"
    # Of the two one may never have been.
    [ "${#all[@]}" -eq 1 ] || [ "$each" = demo ] || [ -e "$(instance_dir "$each")" ] || continue
    "$platform" down --name "$each"
  done
}

case ${1:-} in
  up | node) up ;;
  operator) operator ;;
  down) down ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
