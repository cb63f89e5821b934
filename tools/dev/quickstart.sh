#!/usr/bin/env bash
# quickstart.sh - GPT-2 small on four devices, from a bare Debian 12. Safe to repeat; under a minute once built.
#
#   tools/dev/quickstart.sh              set up, build, generate, compile for dp=2,tp=2, run, compare
#   tools/dev/quickstart.sh --no-setup   the same without setting up
#
# Everything it makes is in out/quickstart.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case "${1:-}" in
'') tools/dev/setup.sh ;;
--no-setup) ;;
-h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) echo "quickstart.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
esac

folder=out/quickstart
say "GPT-2 small with seeded random weights: $folder/model.onnx"
"$LLMPAR_PYTHON" -m llmpar.zoo gpt2 --size small --out "$folder"
say "Compiling for two meshes, running, comparing with one device and with ONNX Runtime"
"$LLMPAR_PYTHON" tools/dev/compare_layouts.py "$folder/model.onnx" --batch 2 --seq 64 --mesh dp=2,tp=2 --layout hybrid
