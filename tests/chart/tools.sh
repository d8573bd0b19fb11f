# shellcheck shell=bash
# What several of these scripts work with. To be sourced by one that has set $top, $platform and $python.

# The real helm, which keeps nothing where the person who runs this keeps theirs. $scratch goes with the script.
with_helm() {
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  export HELM_CACHE_HOME=$scratch/cache HELM_CONFIG_HOME=$scratch/config HELM_DATA_HOME=$scratch/data
  OPENCLAW_HELM=$("${platform:?}" tool helm)
  export OPENCLAW_HELM
}

# The operator, built from this checkout.
with_operator() {
  local target
  (cd "${top:?}" && cargo build --locked --quiet --bin openclaw-tenant-operator)
  target=$(cd "$top" && cargo metadata --locked --no-deps --format-version 1 | "${python:?}" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  export OPENCLAW_OPERATOR=$target/debug/openclaw-tenant-operator
}
