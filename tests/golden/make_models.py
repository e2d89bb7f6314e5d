"""Writes small random checkpoints with the outputs that transformers 5.23.0 (torch 2.11.0, CPU, float32, eager attention)
gives, as `equipoise verify` reads them: config.json, model*.safetensors and expected.safetensors in a folder each.

    pip install transformers==5.23.0 torch==2.11.0 && python make_models.py            # tests/golden/models
    python make_models.py --all OUT && equipoise verify OUT                             # all variants
"""
import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config

BASE = {"hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 24, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
        "bos_token_id": 1, "eos_token_id": 2}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 10000.0}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32, "rope_theta": 50000.0}


def old_spelling(config):
    """As transformers 4 wrote it, and as it lies on people's disks."""
    rope = dict(config.pop("rope_parameters"))
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope.get("rope_type") == "default" else rope
    config["torch_dtype"] = config.pop("dtype")


def written_type(config):
    old_spelling(config)
    config["rope_scaling"]["type"] = config["rope_scaling"].pop("rope_type")


# name: (class, changes, dtype of the file, shard size, change of config.json, in tests/golden)
MODELS = {
    "llama-yarn-biases": (LlamaConfig, {"num_hidden_layers": 1, "head_dim": 8, "attention_bias": True, "mlp_bias": True,
                                        "rope_parameters": {**YARN, "mscale": 1.0, "mscale_all_dim": 0.6}},
                          "bfloat16", None, None, True),
    "qwen2-windows-sharded": (Qwen2Config, {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1,
                                            "tie_word_embeddings": True}, "bfloat16", 3000, None, True),
    "mistral-window-linear": (MistralConfig, {"sliding_window": 5, "rope_parameters": {
        "rope_type": "linear", "factor": 2.5, "rope_theta": 30000.0}}, "float16", None, written_type, True),
    "llama3-old-gelu": (LlamaConfig, {"num_hidden_layers": 1, "rope_parameters": LLAMA3, "hidden_act": "gelu_pytorch_tanh", "tie_word_embeddings": True},
                        "bfloat16", None, old_spelling, True),
    "llama-plain": (LlamaConfig, {}, "float32", None, None, False),
    "llama-plain-old": (LlamaConfig, {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}, "float32", None,
                        old_spelling, False),
    "llama-one-head-group": (LlamaConfig, {"num_key_value_heads": 1, "hidden_act": "gelu"}, "float16", 2000, None, False),
    "llama-yarn-factor": (LlamaConfig, {"rope_parameters": {**YARN, "attention_factor": 1.3, "beta_fast": 8.0, "beta_slow": 2.0}},
                          "float32", None, old_spelling, False),
    "llama-yarn-untruncated": (LlamaConfig, {"head_dim": 32, "rope_parameters": {**YARN, "truncate": False}}, "bfloat16", None,
                               None, False),
    "llama-llama3": (LlamaConfig, {"rope_parameters": LLAMA3, "head_dim": 16}, "bfloat16", 4000, None, False),
    "llama-relu2": (LlamaConfig, {"hidden_act": "relu2", "attention_bias": True}, "float32", None, None, False),
    "llama-quick-gelu": (LlamaConfig, {"hidden_act": "quick_gelu", "mlp_bias": True}, "float32", None, None, False),
    "mistral-full": (MistralConfig, {"sliding_window": None, "head_dim": 8}, "bfloat16", None, None, False),
    "mistral-window-1": (MistralConfig, {"sliding_window": 1}, "float32", None, None, False),
    "qwen2-types": (Qwen2Config, {"use_sliding_window": True, "sliding_window": 7, "num_hidden_layers": 3, "layer_types":
                                  ["sliding_attention", "full_attention", "sliding_attention"]}, "float16", None, None, False),
    "qwen2-yarn": (Qwen2Config, {"rope_parameters": YARN}, "bfloat16", None, old_spelling, False),
    "qwen2-unused-window": (Qwen2Config, {"use_sliding_window": False, "sliding_window": 4, "max_window_layers": 0}, "float32",
                            None, None, False),
}


def make(folder, kind, changes, dtype, shard, edit):
    torch.manual_seed(7)
    config = kind(**{**BASE, **changes})
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if "norm" in name else 0.0, 0.1 if "norm" in name else 0.35)
    shutil.rmtree(folder, ignore_errors=True)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=shard or "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    outputs = {}
    for i, layer in enumerate(model.model.layers):
        layer.self_attn.register_forward_hook(lambda _m, _in, out, i=i: outputs.update({f"attn.{i}": out[0].detach().contiguous()}))
    ids = torch.randint(0, config.vocab_size, (1, 20))
    with torch.no_grad():
        outputs["logits"] = model(ids).logits.contiguous()
    save_file({"input_ids": ids, **outputs}, folder / "expected.safetensors")
    text = json.loads((folder / "config.json").read_text())
    if edit:
        edit(text)
    (folder / "config.json").write_text(json.dumps(text, indent=1, sort_keys=True) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", nargs="?", default=pathlib.Path(__file__).with_name("models"), type=pathlib.Path)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    for name, (kind, changes, dtype, shard, edit, kept) in MODELS.items():
        if kept or options.all:
            make(options.out / name, kind, changes, dtype, shard, edit)
            print(name)


main()
