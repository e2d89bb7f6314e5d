"""Looking at models, text and tasks from the command line: what is shown is what a run would use.
usage: inspect_commands.py EQUIPOISE SOURCE_DIR"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

program, source = sys.argv[1], pathlib.Path(sys.argv[2])
shared = source.parent / "shared"
work = pathlib.Path(tempfile.mkdtemp(prefix="equipoise-inspect-"))
env = dict(os.environ, XDG_DATA_HOME=str(work / "data"), XDG_STATE_HOME=str(work / "state"), XDG_CACHE_HOME=str(work / "cache"))

def run(*args, code=0, text=None):
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, env=env, input=text, timeout=100)
    assert done.returncode == code, f"{args}: exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done

def shown(*args, code=0):
    return json.loads(run("inspect", *args, "--json", "-", code=code).stdout)

def test_a_model_says_its_shape_and_its_tokens():
    tiny = shown("model", "builtin:tiny", "--text", "the cat")
    assert tiny["loads"] and tiny["report"]["matched"] == len(tiny["tensors"])
    assert [t["token"] for t in tiny["text"]["tokens"]] == ["<s>", "the", "cat"]
    assert [(t["begin"], t["end"]) for t in tiny["text"]["tokens"]] == [(0, 0), (0, 3), (4, 7)]
    plain = run("inspect", "model", "builtin:tiny", "--tensors").stdout
    assert "loads whole" in plain and "model.embed_tokens.weight" in plain

def test_a_model_that_does_not_load_is_reported_and_exits_1():
    bad = work / "bad"
    shutil.copytree(source / "resources/tiny", bad)
    config = json.loads((bad / "config.json").read_text())
    config["num_hidden_layers"] = 3
    (bad / "config.json").write_text(json.dumps(config))
    report = shown("model", bad, code=1)
    assert not report["loads"] and len(report["report"]["missing"]) == 9
    assert "layers.2." in run("inspect", "model", bad, code=1).stdout
    assert "/nowhere" in run("inspect", "model", "/nowhere", code=1).stderr
    run("inspect", code=2)
    run("inspect", "model", code=2)

def test_documents_and_rows_are_decoded():
    text = work / "a.jsonl"
    text.write_text("".join(json.dumps({"text": f"the cat number {i}"}) + "\n" for i in range(50)))
    tiny = source / "resources/tiny"
    data = shown("data", text, "--model", tiny, "--documents", 3, "--first", 5, "--batch", 2, "--packing", "packed",
                 "--sequence-length", 12, "--validation-share", 0)
    assert [d["index"] for d in data["documents"]] == [5, 6, 7]
    assert data["documents"][0]["text"] == "the cat number 5"
    for row in data["batch"]["rows"]:
        assert len(row["ids"]) == 12
        assert all(row["ids"][s] == 0 for s in row["starts"]) and row["starts"]
    assert "┃<s>" in run("inspect", "data", text, "--model", tiny, "--batch", 1).stdout
    assert "model" in run("inspect", "data", text, "--batch", 1, code=1).stderr
    run("inspect", "data", text, "--packing", "tight", code=2)
    corpus = shown("data", "builtin:corpus", "--documents", 2, "--batch", 1)
    assert corpus["documents"][0]["text"].startswith("<s>") and corpus["batch"]["length"] == 256

def test_an_example_is_scored_as_evaluate_scores_it():
    names = [t["name"] for t in shown("task")]
    assert "builtin:agreement" in names and "piqa" in names
    one = shown("task", "builtin:agreement", "--example", 4, "--model", "builtin:tiny", "--components", "teacher,swa", "--window", 32)["examples"][0]
    samples = work / "s.jsonl"
    run("evaluate", "--model", "builtin:tiny", "--tasks", "builtin:agreement", "--components", "teacher,swa", "--limit", 5,
        "--window", 32, "--samples", samples)
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    for score in one["scores"]:
        row = next(r for r in rows if r["component"] == score["component"] and r["doc_id"] == 4)
        assert row["target"] == one["gold"]
        for a, b in zip(score["loglikelihoods"], row["loglikelihoods"]):
            assert abs(a - b) < 1e-4, (score, row)
    assert "--model" in run("inspect", "task", "builtin:agreement", "--components", "teacher", code=2).stderr
    assert "piqa" in run("inspect", "task", "piqq", "--data", work, code=1).stderr

def test_the_references_prompts_are_shown():
    if not shared.exists():
        print("skipped: ../shared is not here")
        return
    model = shared / "data/models/stories260K"
    expected = [json.loads(line) for line in (shared / "data/lm-eval/piqa.0shot.jsonl").read_text().splitlines()]
    found = shown("task", "piqa", "--data", shared / "data/tasks", "--split", "validation", "--example", 3, "--model", model, "--components", "teacher")
    one, theirs = found["examples"][0], expected[3]
    for choice, mine, request in zip(one["choices"], one["scores"][0]["loglikelihoods"], theirs["requests"]):
        assert abs(mine - request["loglikelihood"]) < 1e-3
        if "context" in request:
            assert (choice["context"], choice["continuation"]) == (request["context"], request["continuation"])
    stories = shown("data", shared / "data/text/tinystories", "--model", model, "--batch", 2, "--packing", "packed", "--sequence-length", 64)
    assert stories["documents"] and all(len(r["ids"]) == 64 for r in stories["batch"]["rows"])

for name, test in list(globals().items()):
    if name.startswith("test_"):
        start = time.time()
        test()
        print(f"{name}  {time.time() - start:.1f} s", flush=True)
