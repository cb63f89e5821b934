#!/usr/bin/env bash
# sanitize.sh - the runtime, its tests and a program of four ranks under a sanitizer. Safe to repeat.
#
#   tools/dev/sanitize.sh thread              data races
#   tools/dev/sanitize.sh address             memory errors, leaks and undefined behaviour
#   tools/dev/sanitize.sh thread model.llmpar --weights=DIR --data=DIR
#                                             the same, then llmpar-run with these arguments
#
# Build folder: build-NAME, or $LLMPAR_SANITIZE_BUILD. Only the runtime is built: it needs no LLVM. oneDNN is not
# instrumented; what it does inside is suppressed by tools/dev/sanitize.supp.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case "${1:-}" in
thread) flags=-fsanitize=thread ;;
address) flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined" ;;
-h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) echo "sanitize.sh: thread or address? See --help" >&2; exit 2 ;;
esac
build="${LLMPAR_SANITIZE_BUILD:-$LLMPAR_ROOT/build-$1}"
export TSAN_OPTIONS="suppressions=$LLMPAR_ROOT/tools/dev/sanitize.supp halt_on_error=0"
export UBSAN_OPTIONS=print_stacktrace=1
shift

if [ ! -f "$build/build.ninja" ]; then
  say "Configuring $build ($flags)"
  cmake -S . -B "$build" -G Ninja -DLLMPAR_RUNTIME_ONLY=ON -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_CXX_FLAGS="-O1 -g -fno-omit-frame-pointer $flags" \
    -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-22 -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld-22 >/dev/null
fi
say "Building"
ninja -C "$build"
say "Tests of the runtime"
ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$(nproc)"
if [ $# -gt 0 ]; then
  say "llmpar-run $*"
  "$build/bin/llmpar-run" "$@"
fi
