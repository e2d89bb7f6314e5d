"""Writes model_configs.json: config.json texts and what transformers 5.23.0 (torch 2.11.0) makes of them.

    pip install transformers==5.23.0 torch==2.11.0 && python make_model_configs.py

Each case: the config, and as expected values the inverse frequencies, the factor on cos and sin, the sliding window of
each layer (0: none), key/value heads, head dimension and positions.
"""
import copy
import json
import pathlib

from transformers import LlamaConfig, MistralConfig, Qwen2Config
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.mistral.modeling_mistral import MistralRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

KINDS = {"llama": (LlamaConfig, LlamaRotaryEmbedding), "mistral": (MistralConfig, MistralRotaryEmbedding),
         "qwen2": (Qwen2Config, Qwen2RotaryEmbedding)}
BASE = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 128}
cases = []


def add(name, kind="llama", drop=(), **keys):
    config = {"model_type": kind, **BASE, **keys}
    for key in drop:
        config.pop(key)
    cases.append({"name": name, "config": config})


def yarn(**keys):
    return {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048, **keys}


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}

add("llama, all by default")
add("old theta", rope_theta=500000.0, rope_scaling=None)
add("whole-number theta", rope_theta=1000000)
add("new theta", rope_parameters={"rope_type": "default", "rope_theta": 500000.0})
add("theta inside wins", rope_theta=5000.0, rope_parameters={"rope_type": "default", "rope_theta": 700.0})
add("theta beside the block", rope_theta=5000.0, rope_parameters={"rope_type": "default"})
add("old linear, written type", rope_scaling={"type": "linear", "factor": 2.0})
add("old linear", rope_theta=20000.0, rope_scaling={"rope_type": "linear", "factor": 2.5})
add("new linear", rope_parameters={"rope_type": "linear", "factor": 3, "rope_theta": 30000.0})
add("old spelling wins over new", rope_scaling={"rope_type": "linear", "factor": 2.0},
    rope_parameters={"rope_type": "default", "rope_theta": 123.0})
add("empty old block", rope_scaling={}, rope_parameters={"rope_type": "default", "rope_theta": 123.0})
add("old llama3", rope_theta=500000.0, max_position_embeddings=131072, rope_scaling={"rope_type": "llama3", **LLAMA3})
add("new llama3", max_position_embeddings=131072,
    rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3, "factor": 32.0})
add("llama3 over a short past", rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3,
                                                 "original_max_position_embeddings": 64}, head_dim=128)
add("positions beside the block win", original_max_position_embeddings=100,
    rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3})
add("yarn", max_position_embeddings=8192, rope_scaling=yarn())
add("yarn, written type", max_position_embeddings=8192,
    rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048})
add("yarn, new", "qwen2", num_key_value_heads=2, max_position_embeddings=131072, head_dim=128,
    rope_parameters=yarn(rope_theta=1000000.0, original_max_position_embeddings=32768))
add("yarn, mscale", rope_scaling=yarn(mscale=1.0, mscale_all_dim=0.8))
add("yarn, mscale alone", rope_scaling=yarn(mscale=0.7))
add("yarn, attention factor", rope_scaling=yarn(attention_factor=1.25))
add("yarn, betas", head_dim=128, rope_scaling=yarn(beta_fast=16, beta_slow=2))
add("yarn, betas of 0", head_dim=128, rope_scaling=yarn(beta_fast=0, beta_slow=0))
add("yarn, not truncated", head_dim=128, rope_scaling=yarn(truncate=False))
add("yarn, factor null", max_position_embeddings=16384, rope_scaling=yarn(factor=None))
add("yarn, positions left out", max_position_embeddings=4096, rope_scaling={"rope_type": "yarn", "factor": 2.0})
add("yarn, factor below 1", rope_scaling=yarn(factor=0.5))
add("head_dim apart", head_dim=32)
add("head_dim null", head_dim=None)
add("grouped queries", num_key_value_heads=2)
add("kv heads null", num_key_value_heads=None)
add("llama ignores a window", sliding_window=8, use_sliding_window=True)
add("mistral, all by default", "mistral", num_attention_heads=8)
add("mistral, window", "mistral", num_key_value_heads=2, sliding_window=12)
add("mistral, no window", "mistral", num_key_value_heads=2, sliding_window=None)
add("mistral looks at sliding_window alone", "mistral", num_key_value_heads=2, sliding_window=12, use_sliding_window=False)
add("qwen2, all by default", "qwen2", num_attention_heads=32, hidden_size=512)
add("qwen2, window switched off", "qwen2", num_key_value_heads=2, sliding_window=8, max_window_layers=0)
add("qwen2, window from layer 2 on", "qwen2", num_key_value_heads=2, use_sliding_window=True, sliding_window=8,
    max_window_layers=2)
add("qwen2, window of 4096 by default", "qwen2", num_key_value_heads=2, use_sliding_window=True, max_window_layers=3)
add("qwen2, from layer 28 on by default", "qwen2", num_key_value_heads=2, use_sliding_window=True, sliding_window=8,
    num_hidden_layers=30)
add("qwen2, window null", "qwen2", num_key_value_heads=2, use_sliding_window=True, sliding_window=None, max_window_layers=0)
add("qwen2, layer types", "qwen2", num_key_value_heads=2, use_sliding_window=True, sliding_window=8, max_window_layers=0,
    layer_types=["full_attention", "sliding_attention", "full_attention", "sliding_attention"])


def windows(config):
    if config.model_type == "llama":
        return [0] * config.num_hidden_layers
    if config.model_type == "mistral":
        return [config.sliding_window or 0] * config.num_hidden_layers
    return [config.sliding_window if t == "sliding_attention" else 0 for t in config.layer_types]


for case in cases:
    text = copy.deepcopy(case["config"])
    kind = text.pop("model_type")
    make, rotary = KINDS[kind]
    config = make(**text)
    turns = rotary(config)
    case["expected"] = {
        "frequencies": [float(f) for f in turns.inv_freq], "attention_factor": float(turns.attention_scaling),
        "windows": windows(config), "kv_heads": config.num_key_value_heads,
        "head_dim": getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        "positions": config.max_position_embeddings}

out = pathlib.Path(__file__).with_name("model_configs.json")
out.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases")
