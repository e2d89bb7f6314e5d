"""Runs that leave and enter the program: export, import of stores and of other programs' files, sweeps and seeds.
usage: interop.py EQUIPOISE SOURCE_DIR"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

program, source = sys.argv[1], pathlib.Path(sys.argv[2])
work = pathlib.Path(tempfile.mkdtemp(prefix="equipoise-interop-"))
env = dict(os.environ, XDG_DATA_HOME=str(work / "data"), XDG_STATE_HOME=str(work / "state"), XDG_CACHE_HOME=str(work / "cache"))
smoke = source / "experiments/smoke/seconds.yaml"
store = work / "a.db"
quick = ["--set", "evaluation.limit=1", "--set", "evaluation.every=0", "--set", "stages.0.epochs=1", "--set", "stages.1.epochs=1"]


def run(*args, code=0):
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == code, f"{args}: exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done


def says(done, *words):
    for word in words:
        assert word in done.stderr, f"expected {word!r} in: {done.stderr}"


def safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]])
            for name, entry in header.items()}


def write_safetensors(path, tensors):
    header, body = {}, b""
    for name, shape in tensors.items():
        count = 1
        for n in shape:
            count *= n
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + 4 * count]}
        body += struct.pack(f"<{count}f", *[0.01 * (i % 7) for i in range(count)])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def perplexity(*args):
    found = json.loads(run("evaluate", *args, "--tasks", "perplexity", "--text", work / "text.jsonl", "--json", "-").stdout)
    return next(row["value"] for row in found["scores"] if row["metric"] == "perplexity")


def test_exported_weights_score_as_the_run_does():
    # A large rate, so that the adapters matter.
    run("run", smoke, "--store", store, "--name", "one", "--set", "stages.1.learning_rate=0.01", *quick)
    report = json.loads(run("export", "one", "--store", store, "--to", work / "merged", "--merge", "--json", "-").stdout)
    assert report["merged"] and report["adapters"] == 8 and "config.json" in report["files"]
    run("export", "one", "--store", store, "--to", work / "plain")
    words = "the black cat and the brown bird sit beside the blue bottle .".split()
    (work / "text.jsonl").write_text("".join(json.dumps({"text": " ".join(words[i % 12:] + words[:i % 7])}) + "\n" for i in range(30)))
    # A window longer than the text is softmax attention, with the run's adapters.
    ours = perplexity("--run", "one", "--store", store, "--components", "swa", "--window", 4096)
    merged = perplexity("--model", work / "merged", "--components", "teacher")
    base = perplexity("--model", "builtin:tiny", "--components", "teacher")
    plain = perplexity("--model", work / "plain", "--components", "teacher")
    assert abs(merged / ours - 1) < 1e-4 and abs(base / ours - 1) > 1e-2, (ours, merged, base)
    assert abs(plain / base - 1) < 1e-6, (plain, base)
    for folder in ("merged", "plain"):
        run("inspect", "model", work / folder)
        run("logits", "--model", work / folder, "--ids", "0,5,6,7", "--out", work / f"{folder}.safetensors")
    ids = ["--ids", "0,5,6,7,20,9"]
    run("logits", "--model", "builtin:tiny", *ids, "--out", work / "b.safetensors")
    run("logits", "--model", work / "plain", *ids, "--out", work / "p.safetensors")
    assert safetensors(work / "b.safetensors") == safetensors(work / "p.safetensors")
    assert sorted(safetensors(work / "plain/hybrid.safetensors")) == sorted(safetensors(work / "merged/hybrid.safetensors"))
    settings = json.loads((work / "plain/hybrid.json").read_text())
    assert settings["attention"]["window"] == 16 and settings["lora"]["rank"] == 8 and settings["run"]["name"] == "one"
    adapter = json.loads((work / "plain/adapter/adapter_config.json").read_text())
    assert adapter["target_modules"] == ["q_proj", "k_proj", "v_proj", "o_proj"] and adapter["lora_alpha"] == 16


def test_export_refuses_in_one_sentence():
    says(run("export", "one", "--store", store, "--to", work / "merged", code=1), "merged", "not an empty folder")
    says(run("export", "nobody", "--store", store, "--to", work / "x", code=1), "nobody")
    says(run("export", "one", "--store", store, "--to", work / "x", "--checkpoint", "99", code=1), "99")
    run("export", "one", code=2)
    assert not (work / "x").exists() and not list(work.glob("*.part-*"))


def test_a_checkpoint_of_a_run_is_exported_by_name():
    shown = json.loads(run("show", "one", "--store", store, "--json", "-").stdout)
    step = shown["checkpoints"][0]["step"]
    run("export", "one", "--store", store, "--to", work / "first", "--checkpoint", step)
    assert json.loads((work / "first/hybrid.json").read_text())["run"]["step"] == step


def test_an_exported_folder_gives_a_recipe():
    out = run("import-config", work / "plain", "--to", work / "on.yaml")
    text = (work / "on.yaml").read_text()
    assert f"model: {work / 'plain'}" in text and f"start_from: {work / 'plain'}" in text and "window: 16" in text, text
    says(out, "before it can run", "data.path")


def test_seeds_are_one_setting():
    ids = run("run", smoke, "--store", store, "--name", "grouped", "--seeds", "3,5", *quick).stdout.split()
    assert len(ids) == 2
    compared = json.loads(run("compare", *ids, "--seeds", "--store", store, "--json", "-").stdout)
    assert len(compared["settings"]) == 1
    assert compared["settings"][0]["name"] == "grouped" and compared["settings"][0]["seeds"] == [3, 5]
    assert compared["settings"][0]["columns"]["hybrid"]["n"] == 2
    run("run", smoke, "--store", store, "--seeds", "1,1", code=2)
    run("run", smoke, "--store", store, "--seeds", "1,2", "--seed", "3", code=2)


def test_a_sweep_goes_on_after_a_failure():
    shutil.copy(smoke, work / "base.yaml")
    sweep = work / "sweep.yaml"
    # A map wider than one head is refused when the model is there, not before.
    sweep.write_text("base: base.yaml\nname: s\n"
                     "set: {stages.0.epochs: 1, stages.1.epochs: 1, evaluation.limit: 1, evaluation.every: 0}\n"
                     "runs: [{model: /nowhere, name: broken, data.path: /nowhere, evaluation.tasks: [perplexity]}, {attention.window: 8}]\n"
                     "seeds: [0, 1]\n")
    plan = json.loads(run("sweep", sweep, "--store", work / "none.db", "--dry-run", "--json", "-").stdout)
    assert [p["name"] for p in plan] == ["broken-0", "broken-1", "s-window=8-0", "s-window=8-1"]
    assert plan[2]["hash"] == plan[3]["hash"] != plan[0]["hash"] and plan[2]["steps"] > 0
    assert not (work / "none.db").exists()
    done = run("sweep", sweep, "--store", work / "sweep.db", code=1)
    assert done.stdout.split() == ["1", "2", "3", "4"], done.stdout
    states = {r["name"]: r["state"] for r in json.loads(run("runs", "--store", work / "sweep.db", "--json", "-").stdout)}
    tags = [r["tags"] for r in json.loads(run("runs", "--store", work / "sweep.db", "--json", "-").stdout)]
    assert tags and set(tags) == {"sweep:sweep"}, tags
    assert states == {"broken-0": "failed", "broken-1": "failed", "s-window=8-0": "done", "s-window=8-1": "done"}
    run("sweep", sweep, "--store", work / "stop.db", "--stop-on-error", code=1)
    states = [r["state"] for r in json.loads(run("runs", "--store", work / "stop.db", "--json", "-").stdout)]
    assert states == ["failed"], states  # the others were never queued
    sweep.write_text("base: base.yaml\nvary: {attention.windwo: [1]}\n")
    says(run("sweep", sweep, "--store", work / "none.db", code=2), "sweep.yaml", "attention.windwo", "attention.window")
    assert not (work / "none.db").exists()


def test_a_store_is_taken_over_once():
    other = work / "job/other.db"
    run("run", smoke, "--store", other, "--name", "far", *quick)
    taken = json.loads(run("import", other, "--store", store, "--json", "-").stdout)
    assert [t["name"] for t in taken["taken"]] == ["far"] and taken["taken"][0]["id"] != 1
    here = json.loads(run("show", "far", "--store", store, "--json", "-").stdout)
    there = json.loads(run("show", "far", "--store", other, "--json", "-").stdout)
    for key in ("series", "evaluations", "recipe", "hash", "seed", "state", "seconds"):
        assert here[key] == there[key], key
    for mine, theirs in zip(here["checkpoints"], there["checkpoints"]):
        assert pathlib.Path(mine["path"]).parent == pathlib.Path(str(store) + ".runs") / str(here["id"])
        assert pathlib.Path(mine["path"]).exists() == pathlib.Path(theirs["path"]).exists()
    shutil.rmtree(other.parent)  # the copy stands on its own
    run("export", "far", "--store", store, "--to", work / "far", "--merge")
    says(run("import", other, "--store", store, code=1), "other.db", "does not exist")
    says(run("import", store, "--store", store, code=1), "itself")
    (work / "bad.db").write_bytes(b"no store" * 200)
    says(run("import", work / "bad.db", "--store", store, code=1), "bad.db")


def test_foreign_files_are_read_and_weights_taken():
    golden = source / "tests/golden/foreign"
    files = [golden / f"lolcats_{part}.yaml" for part in ("model", "distill", "finetune")]
    weights = work / "distill.safetensors"
    at = "model.layers.0.self_attn."
    write_safetensors(weights, {at + "feature_map_q.mlp.layer": [4, 32, 8], at + "feature_map_k.mlp.layer": [4, 32, 8], at + "window_factors": [1, 4, 1, 1]})
    read = json.loads(run("import-config", *files, "--weights", weights, "--to", work / "lolcats.yaml", "--json", "-").stdout)
    readings = {(pathlib.Path(f["file"]).name, f["path"]): f["reading"] for f in read["fields"]}
    assert readings["lolcats_model.yaml", "attention.window_size"] == "understood"
    assert readings["lolcats_distill.yaml", "trainer.reverse_kl"] == "ignored"
    assert readings["lolcats_model.yaml", "model.pretrained_model_name_or_path"] == "ambiguous"
    recipe = (work / "lolcats.yaml").read_text()
    assert f"start_from: {work / 'lolcats.safetensors'}" in recipe and "name: lolcats" in recipe, recipe
    assert {n: s for n, (_, s, _) in safetensors(work / "lolcats.safetensors").items()} == {
        "maps.0.q.weight": [4, 32, 8], "maps.0.k.weight": [4, 32, 8], "mixing.0": [4]}
    shown = run("import-config", golden / "liger.yaml")
    assert "kind: gla" in shown.stdout and "train.max_grad_norm" in shown.stderr
    says(run("import-config", smoke, code=1), "seconds.yaml", "LoLCATs")
    (work / "x.pt").write_bytes(b"PK\x03\x04")
    says(run("import-config", files[0], "--weights", work / "x.pt", "--to", work / "y.yaml", code=1), "x.pt", "torch.load", "save_file")
    run("import-config", files[0], "--weights", weights, code=2)
    assert not (work / "y.yaml").exists()


for name, test in list(globals().items()):
    if name.startswith("test_"):
        start = time.time()
        test()
        print(f"{name}  {time.time() - start:.1f} s", flush=True)
shutil.rmtree(work)
