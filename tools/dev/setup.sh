#!/usr/bin/env bash
# setup.sh - everything that llmpar needs, on a bare Debian 12. Safe to repeat; a few seconds when nothing changed.
#
#   tools/dev/setup.sh              install what is missing, configure, build
#   tools/dev/setup.sh --no-build   install only
#
# Debian packages: tools/dev/packages.txt. PyPI packages: tools/dev/requirements.txt, into .venv.
# Build folder: build/, or $LLMPAR_BUILD.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build=yes
for argument in "$@"; do
  case "$argument" in
  --no-build) build=no ;;
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "setup.sh: unknown option '$argument'; see --help" >&2; exit 2 ;;
  esac
done

missing_packages() {
  local wanted
  wanted=$(grep -v '^#' tools/dev/packages.txt)
  # Prints the names that are not installed. dpkg-query fails if one is unknown: its status is not ours.
  comm -23 <(sort -u <<<"$wanted") \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "installed" { print $2 }' | sort -u)
}

install_packages() {
  local missing
  command -v dpkg-query >/dev/null ||
    fail "this is not Debian (no dpkg-query): install what tools/dev/packages.txt lists, then run cmake as in tools/dev/setup.sh"
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  missing=$(tr '\n' ' ' <<<"$missing")
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "missing Debian packages, and neither root nor sudo: as root, apt-get install $missing"
    as_root=(sudo)
  fi
  command -v apt-get >/dev/null || fail "no apt-get here, and these Debian packages are missing: $missing"
  say "Debian packages: $missing"
  "${as_root[@]}" apt-get update -q || echo "setup.sh: apt-get update failed; trying with the lists at hand" >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing ||
    fail "apt-get could not install: $missing(Debian 12 with the bookworm-security suite has all of them)"
}

install_python() {
  local stamp=.venv/requirements.installed
  cmp -s tools/dev/requirements.txt "$stamp" && [ -x "$LLMPAR_PYTHON" ] && return 0
  say "Python packages into .venv (tools/dev/requirements.txt)"
  [ -x "$LLMPAR_PYTHON" ] || python3 -m venv .venv
  "$LLMPAR_PYTHON" -m pip install --disable-pip-version-check -q -r tools/dev/requirements.txt ||
    fail "pip could not install tools/dev/requirements.txt into .venv"
  # `import llmpar` works in .venv without an installation.
  echo "$LLMPAR_ROOT/python" >"$("$LLMPAR_PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/llmpar.pth"
  cp tools/dev/requirements.txt "$stamp"
}

configure() {
  [ -f "$LLMPAR_BUILD/build.ninja" ] && return 0
  say "Configuring $LLMPAR_BUILD"
  cmake -S . -B "$LLMPAR_BUILD" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-22 -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld-22
}

install_packages
install_python
if [ "$build" = yes ]; then
  configure
  say "Building (the first time takes some minutes)"
  ninja -C "$LLMPAR_BUILD"
fi
