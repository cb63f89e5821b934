"""Generators of ONNX transformers with the real architectures and seeded random weights."""

from llmpar.zoo.gpt2 import Gpt2Config, build_gpt2
from llmpar.zoo.llama import LlamaConfig, build_llama

__all__ = ["Gpt2Config", "LlamaConfig", "build_gpt2", "build_llama"]
