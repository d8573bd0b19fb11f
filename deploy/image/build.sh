#!/usr/bin/env bash
# The operator as a static program. The same commit gives the same bytes, wherever it lies and whoever builds it; the Dockerfile, the
# release workflow and make reproduce all build by this one script. On Linux, x86-64: cargo's names for things hold the name of the
# machine that compiles, so that another kind of machine would give other bytes.
#
#   deploy/image/build.sh TARGET FILE      TARGET: x86_64-unknown-linux-musl or aarch64-unknown-linux-musl
#
#   OPENCLAW_REVISION        what the program calls its commit (default: that of the checkout)
#   OPENCLAW_IMAGE_CACHE     where the C compiler is kept (default: ${XDG_CACHE_HOME:-~/.cache}/openclaw-tenant-operator/image)
#   CARGO_TARGET_DIR         where it is built (default: target/image)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$here/../.." && pwd -P)
[ $# -eq 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}" >&2; exit 2; }
target=$1 file=$2

case $target in
  x86_64-unknown-linux-musl) zig=x86_64-linux-musl ;;
  aarch64-unknown-linux-musl) zig=aarch64-linux-musl ;;
  *) echo "build.sh: $target is not built: x86_64-unknown-linux-musl and aarch64-unknown-linux-musl are" >&2; exit 2 ;;
esac
if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "build.sh: only Linux on x86-64 gives the bytes of a release; elsewhere let the Dockerfile build it" >&2
  exit 1
fi

cache=${OPENCLAW_IMAGE_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/openclaw-tenant-operator/image}
tools=$cache/zig-$(sha256sum "$here/requirements.txt" | cut -c1-16)
if [ ! -x "$tools/bin/python" ]; then
  scratch=$(mktemp -d "$(mkdir -p "$cache" && cd "$cache" && pwd -P)/new.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  python3 -m venv "$scratch"
  "$scratch/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement "$here/requirements.txt"
  mv -T "$scratch" "$tools" 2>/dev/null || [ -x "$tools/bin/python" ] # another build may have been quicker
  trap - EXIT
  rm -rf "$scratch"
fi
export OPENCLAW_ZIG_PYTHON=$tools/bin/python OPENCLAW_ZIG_TARGET=$zig

cd "$top"
# Nothing that the caller's environment says of compilers, flags and profiles gets in.
while read -r name; do unset "$name"; done < <(compgen -e | grep -E '^(CARGO_(BUILD|PROFILE|TARGET|ENCODED|INCREMENTAL).*|(HOST_|TARGET_)?(CC|CXX|AR|CFLAGS|CXXFLAGS|ARFLAGS|RUSTFLAGS)(_.*)?|AWS_LC_SYS_.*|RUSTC.*|CRATE_CC_.*)$' | grep -vx CARGO_TARGET_DIR)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$top/target/image} CARGO_INCREMENTAL=0
mkdir -p "$CARGO_TARGET_DIR"
CARGO_TARGET_DIR=$(cd "$CARGO_TARGET_DIR" && pwd -P)
export ZIG_GLOBAL_CACHE_DIR=$CARGO_TARGET_DIR/zig ZIG_LOCAL_CACHE_DIR=$CARGO_TARGET_DIR/zig
OPENCLAW_REVISION=${OPENCLAW_REVISION:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
export OPENCLAW_REVISION

# rust-lld is the toolchain's own, so that no linker of the machine has a part in it. No path of the machine is in the program; where
# several prefixes fit, the last one counts.
home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
[ -d "$sysroot/lib/rustlib/$target/lib" ] || rustup target add "$target"
commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
flags="-Clinker=rust-lld --remap-path-prefix=$top=. --remap-path-prefix=$CARGO_TARGET_DIR=target"
flags+=" --remap-path-prefix=$home=cargo --remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
export RUSTFLAGS=$flags
# C: compiled by zig cc, without line tables of its own.
under=${target//-/_}
export "CC_$under=$here/zig-cc" "AR_$under=$here/zig-ar" "CFLAGS_$under=-g0 -ffile-prefix-map=$home=cargo -ffile-prefix-map=$CARGO_TARGET_DIR=target"
export AWS_LC_SYS_CMAKE_BUILDER=0

cargo build --locked --release --target "$target" --bin openclaw-tenant-operator
install -D -m 0755 "$CARGO_TARGET_DIR/$target/release/openclaw-tenant-operator" "$file"
sha256sum "$file"
