#!/usr/bin/env bash
# check.sh - every test of the project, from a bare Debian 12. Safe to repeat.
#
#   tools/dev/check.sh                        set up, build, run every step
#   tools/dev/check.sh --no-setup             the same without setting up
#   tools/dev/check.sh --no-setup ctest ops   only these steps
#   LLMPAR_TEST_DATA=DIR tools/dev/check.sh   also verify every model below DIR
#
# Steps: ctest includes ops python docs nodes fuzz models. Goes on after a failure; exit code 1 if any step failed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

steps=(includes ops docs python ctest nodes fuzz models)
setup=yes
chosen=()
for argument in "$@"; do
  case "$argument" in
  --no-setup) setup=no ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *)
    [[ " ${steps[*]} " == *" $argument "* ]] || { echo "check.sh: unknown step '$argument'; see --help" >&2; exit 2; }
    chosen+=("$argument") ;;
  esac
done
[ ${#chosen[@]} -gt 0 ] && steps=("${chosen[@]}")

# A step prints what it finds and returns 0 (ok), 77 (skipped) or anything else (failed).
step_includes() { "$LLMPAR_PYTHON" tools/dev/check_includes.py; }
step_ops() { "$LLMPAR_PYTHON" tools/dev/check_ops.py && "$LLMPAR_PYTHON" tools/dev/check_onnx_ops.py; }
step_docs() { "$LLMPAR_PYTHON" tools/dev/gen_docs.py --check --strict; }
step_python() { "$LLMPAR_PYTHON" -m unittest discover -s test/python -t test/python; }
step_ctest() { ctest --test-dir "$LLMPAR_BUILD" --output-on-failure --no-tests=error -j "$(nproc)"; }
step_nodes() { "$LLMPAR_PYTHON" tools/dev/onnx_node_tests.py --min-passed 450; }
step_fuzz() {
  local code=0
  for device in reference cpu; do
    "$LLMPAR_PYTHON" tools/dev/fuzz_layouts.py --count 100 --seed 1 --device $device || code=1
  done
  return $code
}
step_models() {
  if [ -z "${LLMPAR_TEST_DATA:-}" ]; then
    echo "SKIPPED: set LLMPAR_TEST_DATA to a folder of models with test_data_* folders to verify them"
    return 77
  fi
  local code=0
  "$LLMPAR_PYTHON" tools/dev/verify_models.py "$LLMPAR_TEST_DATA" || code=1
  if [ -n "$(find "$LLMPAR_TEST_DATA" -name '*.onnx.gz' -print -quit)" ]; then
    "$LLMPAR_PYTHON" tools/dev/compile_models.py "$LLMPAR_TEST_DATA" || code=1
  fi
  return $code
}

what() {
  case "$1" in
  includes) echo "who includes whom" ;;
  ops) echo "every operator is complete" ;;
  docs) echo "generated reference is up to date" ;;
  python) echo "Python tests" ;;
  ctest) echo "GoogleTest and lit" ;;
  nodes) echo "ONNX backend node tests" ;;
  fuzz) echo "random graphs, meshes and pins" ;;
  models) echo "real models, every layout" ;;
  esac
}

if [ "$setup" = yes ]; then tools/dev/setup.sh; fi
summary='' failed=0
for step in "${steps[@]}"; do
  say "$step: $(what "$step")"
  start=$EPOCHREALTIME
  code=0
  "step_$step" || code=$?
  case $code in 0) result=ok ;; 77) result=skipped ;; *) result=FAILED failed=1 ;; esac
  took=$(seconds_since "$start")
  echo "-- $step: $result, $took"
  summary+=$(printf '%-10s %-9s %10s   %s' "$step" "$result" "$took" "$(what "$step")")$'\n'
done
say "Summary"
printf '%s' "$summary"
exit $failed
