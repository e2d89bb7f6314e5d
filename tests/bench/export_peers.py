"""What `equipoise export` writes, loaded by PyPI's transformers and peft: the merged folder, and the unmerged folder with
its adapter, must give the logits of full softmax attention with the run's adapters.

    python3 tests/bench/export_peers.py EQUIPOISE [--model builtin:tiny] [--set key=value]...

Needs torch, transformers, peft and safetensors (tried: 2.11.0, 5.24.0, 0.21.2, 0.8.0). Trains a short run first, with a rate
that makes the adapters matter. Exit code 1 where a logit is off by more than 1e-4 of the largest.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program")
parser.add_argument("--model", default="builtin:tiny")
parser.add_argument("--set", action="append", default=[], dest="settings")
options = parser.parse_args()
source = pathlib.Path(__file__).resolve().parents[2]
work = pathlib.Path(tempfile.mkdtemp(prefix="equipoise-peers-"))
env = dict(os.environ, XDG_DATA_HOME=str(work), XDG_STATE_HOME=str(work), XDG_CACHE_HOME=str(work))
store = work / "peers.db"
ids = list(range(3, 60))
failed = False


def run(*args):
    done = subprocess.run([options.program, *map(str, args)], capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"{args}: {done.stderr}")
    return done.stdout


def own_logits(folder, component="teacher"):
    out = work / "logits.safetensors"
    run("logits", "--model", folder, "--ids", ",".join(map(str, ids)), "--component", component, "--out", out)
    return load_file(out)["logits"]


def compare(what, found, expected):
    global failed
    error = ((found - expected).abs().max() / expected.abs().max()).item()
    failed = failed or not error < 1e-4
    print(f"{'ok' if error < 1e-4 else 'FAIL'}  {what}: largest difference {error:.1e} of the largest logit")


@torch.no_grad()
def peer_logits(model):
    return model.eval()(torch.tensor([ids])).logits[0].float()


def check(name, settings):
    run("run", source / "experiments/smoke/seconds.yaml", "--store", store, "--name", name, "--set", f"model={options.model}",
        "--set", "stages.1.learning_rate=0.01", "--set", "stages.1.lora.alpha=24", *[a for s in [*settings, *options.settings] for a in ("--set", s)])
    run("export", name, "--store", store, "--to", work / name / "merged", "--merge")
    run("export", name, "--store", store, "--to", work / name / "plain")
    merged, plain = work / name / "merged", work / name / "plain"
    ours = own_logits(merged)
    compare(f"{name}: transformers, merged folder against equipoise", peer_logits(AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)), ours)
    base = AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32)
    compare(f"{name}: transformers, base weights against equipoise", peer_logits(base), own_logits(plain))
    if (plain / "adapter").exists():
        distance = (ours - own_logits(plain)).abs().max().item()
        print(f"      the adapters move logits by up to {distance:.3f}")
        compare(f"{name}: peft, base and adapter against the merged folder", peer_logits(PeftModel.from_pretrained(base, plain / "adapter")), ours)
        compare(f"{name}: peft's AutoPeftModel, by base_model_name_or_path", peer_logits(AutoPeftModelForCausalLM.from_pretrained(plain / "adapter", dtype=torch.float32)), ours)
        again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32), plain / "adapter")
        again.save_pretrained(work / name / "saved")
        written, saved = load_file(plain / "adapter/adapter_model.safetensors"), load_file(work / name / "saved/adapter_model.safetensors")
        same = written.keys() == saved.keys() and all(torch.equal(written[k], saved[k]) for k in written)
        print(f"{'ok' if same else 'FAIL'}  {name}: peft writes the same {len(saved)} tensors back")
        global failed
        failed = failed or not same
    text = "the black cat sits"
    theirs, mine = AutoTokenizer.from_pretrained(plain)(text)["input_ids"], json.loads(subprocess.run(
        [options.program, "tokenize", "--tokenizer", plain], input=json.dumps(text) + "\n", capture_output=True, text=True, env=env).stdout)
    failed = failed or theirs != mine
    print(f"{'ok' if theirs == mine else 'FAIL'}  {name}: the tokenizer gives the same {len(mine)} ids")


check("all-projections", ["stages.1.lora.targets=q,k,v,o,gate,up,down"])
check("one-layer", ["stages.1.lora.layers=1", "stages.1.lora.targets=q,v"])
check("full", ["stages.1.trainable=full", "stages.1.learning_rate=0.001"])
sys.exit(failed)
