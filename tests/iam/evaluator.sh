# shellcheck shell=bash
# Sourced: installs the evaluator, outside of the checkout, and sets `packages`; without Node says so and sets nothing.
#
#   OPENCLAW_OPERATOR        the program that generates the documents (default: built by cargo)
#   OPENCLAW_PLATFORM_CACHE  where npm's packages are kept (default: ${XDG_CACHE_HOME:-~/.cache}/openclaw-tenant-operator)
evaluator=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../deploy/local/judge" && pwd)
packages=''

install_evaluator() {
  local major cache lock
  major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || true
  if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null 2>&1; then
    echo "skipped: IAM policies are judged under Node 20 or newer with npm, which is not installed"
    return
  fi
  # One directory for each lock file, complete once its last file is there.
  cache=${OPENCLAW_PLATFORM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/openclaw-tenant-operator}
  lock=$(node -p 'require("crypto").createHash("sha256").update(require("fs").readFileSync(process.argv[1])).digest("hex").slice(0, 16)' "$evaluator/package-lock.json")
  packages=$cache/iam-evaluator/$lock
  if [ ! -e "$packages/complete" ]; then
    mkdir -p "$packages"
    cp "$evaluator/package.json" "$evaluator/package-lock.json" "$packages/"
    npm ci --prefix "$packages" --ignore-scripts --no-audit --no-fund --loglevel=error
    touch "$packages/complete"
  fi
}

# generate ARGS…: the operator's documents.
generate() {
  if [ -n "${OPENCLAW_OPERATOR:-}" ]; then
    "$OPENCLAW_OPERATOR" iam "$@"
  else
    cargo run --quiet --locked -- iam "$@"
  fi
}
