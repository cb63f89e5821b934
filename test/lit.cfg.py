"""lit configuration: `lit -sv build/test`, or one file of it: `lit -v build/test/Dialect/ops.mlir`."""

import os

import lit.formats
from lit.llvm import llvm_config

config.name = "llmpar"
config.test_format = lit.formats.ShTest(not llvm_config.use_lit_shell)
config.suffixes = [".mlir", ".test"]
config.excludes = ["CMakeLists.txt", "Inputs", "benchmark", "lit.cfg.py", "python", "unit"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.llmpar_build_dir, "test")

llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
llvm_config.with_environment("PATH", config.llmpar_tools_dir, append_path=True)
config.substitutions += [("%source", config.llmpar_source_dir), ("%PYTHON", config.python_executable)]
llvm_config.add_tool_substitutions(["FileCheck", "not", "split-file"], config.llvm_tools_dir)
# A tool that is not built yet leaves its name in the command: its tests fail with "not found".
llvm_config.add_tool_substitutions(["llmpar", "llmpar-opt", "llmpar-run", "llmpar-translate"], config.llmpar_tools_dir)
