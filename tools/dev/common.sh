# common.sh - what the scripts of this folder share. Sourced, never run:
#   source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
#
# Sets LLMPAR_ROOT, LLMPAR_BUILD, LLMPAR_PYTHON, PATH and PYTHONPATH; moves to the root.

LLMPAR_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
LLMPAR_BUILD="${LLMPAR_BUILD:-$LLMPAR_ROOT/build}"
LLMPAR_PYTHON="$LLMPAR_ROOT/.venv/bin/python"
export LLMPAR_ROOT LLMPAR_BUILD LLMPAR_PYTHON
export PYTHONPATH="$LLMPAR_ROOT/python"
export PATH="$LLMPAR_BUILD/bin:$PATH"
cd "$LLMPAR_ROOT" || exit 1

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

# say MESSAGE...: a line about what happens now.
say() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }

# fail MESSAGE...: one line about what is wrong and how to go on.
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# seconds_since START: START is a value of $EPOCHREALTIME; prints "12.3 s".
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }'; }
