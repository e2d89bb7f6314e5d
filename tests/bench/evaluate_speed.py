#!/usr/bin/env python3
"""Examples per second of `equipoise evaluate` and of the LM Evaluation Harness, side by side in one run.

    tests/bench/evaluate_speed.py EQUIPOISE SHARED_DATA [--env FOLDER] [--threads 2] [--large]

Installs the peers (lm-eval, transformers, torch) from PyPI into --env once. Both programs score the same first examples
of the same local files with the same model and thread count, float32, batches of 64, alternately; scores are compared,
too. --large adds a model of about 100 M parameters with random weights, where matrix multiplication dominates.
"""
import argparse, json, os, pathlib, subprocess, sys, tempfile, time

PEERS = ["lm_eval==0.4.13", "transformers", "torch==2.11.0", "accelerate", "datasets", "safetensors"]
TASKS = {
    "piqa": ("piqa/validation.jsonl", 'doc_to_text: "Question: {{goal}}\\nAnswer:"\ndoc_to_target: label\ndoc_to_choice: "{{[sol1, sol2]}}"\n'),
    "arc_easy": ("ai2_arc/ARC-Easy.validation.jsonl", 'doc_to_text: "Question: {{question}}\\nAnswer:"\ndoc_to_target: "{{choices.label.index(answerKey)}}"\ndoc_to_choice: "{{choices.text}}"\n'),
    "hellaswag": ("hellaswag/validation.jsonl", 'process_docs: !function peer.hellaswag\ndoc_to_text: "{{query}}"\ndoc_to_target: "{{label}}"\ndoc_to_choice: "choices"\n'),
    "winogrande": ("winogrande/validation.jsonl", "doc_to_text: !function peer.text\ndoc_to_target: !function peer.target\ndoc_to_choice: !function peer.choice\n"),
}
PEER_FUNCTIONS = """
from lm_eval.tasks.hellaswag.utils import process_docs as hellaswag
from lm_eval.tasks.winogrande.preprocess_winogrande import doc_to_text as text, doc_to_target as target, doc_to_choice as choice
"""


def environment(folder):
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([python, "-c", "import lm_eval, torch, transformers, accelerate"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
    return python


HARNESS = r"""
import sys, time, json, torch
model, folder, limit, batch, threads, *tasks = sys.argv[1:]
torch.set_num_threads(int(threads))
from lm_eval import evaluator
from lm_eval.tasks import TaskManager
from lm_eval.models.huggingface import HFLM
# PIQA has a continuation beyond 512 tokens of the small vocabulary, on which the harness would stop.
lm = HFLM(pretrained=model, device="cpu", dtype="float32", batch_size=int(batch), max_length=2048)
manager = TaskManager(include_path=folder, include_defaults=False)
out = {}
for task in tasks:
    start = time.perf_counter()
    r = evaluator.simple_evaluate(model=lm, tasks=[task], task_manager=manager, limit=int(limit), bootstrap_iters=0, log_samples=True)
    seconds = time.perf_counter() - start
    rows = r["results"][task]
    out[task] = {"seconds": seconds, "n": r["n-samples"][task]["effective"], "acc": rows["acc,none"]}
print("RESULT " + json.dumps(out))
"""


def harness(python, model, data, tasks, limit, threads):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "peer.py").write_text(PEER_FUNCTIONS)
        for name in tasks:
            file, text = TASKS[name]
            (folder / f"peer_{name}.yaml").write_text(
                f"task: peer_{name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    validation: {data / 'tasks' / file}\n"
                f"output_type: multiple_choice\nvalidation_split: validation\ntest_split: null\n{text}"
                "metric_list:\n  - metric: acc\n    aggregation: mean\n    higher_is_better: true\n")
        done = subprocess.run([python, "-c", HARNESS, model, folder, str(limit), "64", str(threads), *[f"peer_{t}" for t in tasks]],
                              capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"})
        lines = [l for l in done.stdout.splitlines() if l.startswith("RESULT ")]
        if not lines:
            sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
        return {k.removeprefix("peer_"): v for k, v in json.loads(lines[0][7:]).items()}


def equipoise(program, model, data, tasks, limit, threads):
    out = {}
    for name in tasks:
        start = time.perf_counter()
        done = subprocess.run([program, "evaluate", "--model", model, "--tasks", name, "--data", data / "tasks", "--components", "teacher",
                               "--split", "validation", "--limit", str(limit), "--json", "-"], capture_output=True, text=True,
                              env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        whole = time.perf_counter() - start
        if done.returncode:
            sys.exit(done.stderr)
        result = json.loads(done.stdout)
        row = next(s for s in result["scores"] if s["task"] == name and s["metric"] == "acc" and s["component"] == "teacher")
        # `seconds` counts everything from opening the model to the last statistic; the process' own start is in `whole`.
        out[name] = {"seconds": result["seconds"], "whole": whole, "n": row["n"], "acc": row["value"]}
    return out


def large_model(python, data, folder):
    if not (folder / "config.json").exists():
        subprocess.run([python, "-c", f"""
import torch, shutil
from transformers import LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
c = LlamaConfig(hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=12,
                vocab_size=32000, max_position_embeddings=2048, tie_word_embeddings=True)
LlamaForCausalLM(c).save_pretrained({str(folder)!r})
"""], check=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            source = data / "tokenizers" / "mistral-v0.1" / name
            if source.exists():
                (folder / name).write_bytes(source.read_bytes())
        if not (folder / "tokenizer_config.json").exists():
            (folder / "tokenizer_config.json").write_text(json.dumps(
                {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}))
    return folder


def compare(title, python, program, model, data, tasks, limit, threads):
    print(f"{title}, {threads} threads, first {limit} examples, float32")
    peer, own = {}, {}
    for name in tasks:  # alternately, so that both see the same machine
        peer.update(harness(python, model, data, [name], limit, threads))
        own.update(equipoise(program, model, data, [name], limit, threads))
        p, o = peer[name], own[name]
        print(f"  {name:12} lm-eval {p['n'] / p['seconds']:8.1f}/s   equipoise {o['n'] / o['seconds']:8.1f}/s   ratio {p['seconds'] / o['seconds'] * o['n'] / p['n']:5.1f}"
              f"   acc {p['acc']:.4f} {o['acc']:.4f}", flush=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("equipoise", type=pathlib.Path)
    a.add_argument("data", type=pathlib.Path)
    a.add_argument("--env", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "equipoise-peers")
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--limit", type=int, default=500)
    a.add_argument("--large", action="store_true")
    o = a.parse_args()
    data, program = o.data.resolve(), o.equipoise.resolve()
    python = environment(o.env)
    compare("stories260K", python, program, data / "models" / "stories260K", data, list(TASKS), o.limit, o.threads)
    if o.large:
        model = large_model(python, data, o.env / "llama-100m")
        compare("Llama, 110 M parameters, random", python, program, model, data, list(TASKS), 64, o.threads)


main()
