"""The headless face as a user meets it: exit codes, messages, kill and resume, bit-equal losses.
usage: cli.py EQUIPOISE SOURCE_DIR"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

program, source = sys.argv[1], pathlib.Path(sys.argv[2])
shared = source.parent / "shared"
work = pathlib.Path(tempfile.mkdtemp(prefix="equipoise-cli-"))
env = dict(os.environ, XDG_DATA_HOME=str(work / "data"), XDG_STATE_HOME=str(work / "state"), XDG_CACHE_HOME=str(work / "cache"))
smoke = str(source / "experiments/smoke/seconds.yaml")

def run(*args, code=0, text=None):
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, env=env, input=text, timeout=300)
    assert done.returncode == code, f"{args}: exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done

def losses(store, name):
    shown = json.loads(run("show", name, "--store", store, "--json", "-").stdout)
    return shown["series"]["train/loss"], shown["series"]["train/grad_norm"], shown

def one_sentence(done, *words):
    message = done.stderr.strip().splitlines()[-1]
    for word in words:
        assert word in done.stderr, f"expected {word!r} in: {done.stderr}"
    assert message, "a message"

def test_run_is_listed_shown_and_compared():
    store = work / "a.db"
    first = run("run", smoke, "--store", store, "--name", "one").stdout.strip().splitlines()[-1]
    second = run("run", smoke, "--store", store, "--name", "two", "--set", "attention.window=8").stdout.strip().splitlines()[-1]
    assert (first, second) == ("1", "2")
    listed = json.loads(run("runs", "--store", store, "--json", "-").stdout)
    assert {r["name"]: r["state"] for r in listed} == {"one": "done", "two": "done"}
    assert {"id", "name", "state", "started", "steps"} <= set(listed[0])
    series, _, shown = losses(store, "one")
    assert [step for step, _ in series] == list(range(1, len(series) + 1))
    components = {e["component"] for e in shown["evaluations"]}
    assert {"teacher", "hybrid", "swa", "linear", "none", "delta_h_swa", "delta_la_na"} <= components
    compared = json.loads(run("compare", "one", "two", "--store", store, "--json", "-").stdout)
    assert [d["path"] for d in compared["differences"] if d["path"] != "name"] == ["attention.window"]
    run("report", "one", "two", "--store", store, "--to", work / "r.html")
    page = (work / "r.html").read_text()
    assert "<svg" in page and "http" not in page.replace("http://www.w3.org", "")
    run("tag", "two", "--store", store, "--tags", "narrow", "--notes", "n")

def test_a_deleted_run_is_restored_as_it_was_or_purged():
    store = work / "a.db"
    listed = lambda *more: {r["name"] for r in json.loads(run("runs", *more, "--store", store, "--json", "-").stdout)}
    before = run("show", "two", "--store", store, "--json", "-").stdout
    run("delete", "two", "1", "two", "--store", store)
    assert (listed(), listed("--trash")) == (set(), {"one", "two"})
    for command in ("show", "delete", "evaluate", "export"):
        more = {"evaluate": ["--run", "two", "--tasks", "builtin:all", "--components", "hybrid"], "export": ["two", "--to", work / "x"]}.get(command, ["two"])
        one_sentence(run(command, *more, "--store", store, code=1), "no run \"two\"", "equipoise restore 2")
    one_sentence(run("restore", "three", "--store", store, code=1), "in the trash")
    run("restore", "two", "--store", store)
    assert run("show", "two", "--store", store, "--json", "-").stdout == before
    one_sentence(run("purge", "two", "--yes", "--store", store, code=1), "no run \"two\" in the trash")
    one_sentence(run("purge", "--store", store, code=2), "--all")
    one_sentence(run("purge", "--all", "--store", store, code=2, text="yes\n"), "--yes")
    assert listed("--trash") == {"one"} and (work / "a.db.runs/1").exists()
    run("purge", "--all", "--yes", "--store", store)
    assert listed("--trash") == set() and listed() == {"two"}
    assert not (work / "a.db.runs/1").exists() and (work / "a.db.runs/2").exists()
    one_sentence(run("show", "1", "--store", store, code=1), "no run")

def test_same_seed_gives_equal_bits():
    store = work / "b.db"
    for name in ("x", "y"):
        run("run", smoke, "--store", store, "--name", name, "--seed", 5)
    assert losses(store, "x")[:2] == losses(store, "y")[:2]

def kill_at(steps, store, name, more):
    child = subprocess.Popen([program, "run", smoke, "--store", str(store), "--name", name, *more], env=env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while time.time() < deadline:
        listed = json.loads(run("runs", "--store", store, "--json", "-").stdout)
        if any(r["name"] == name and r["steps"] >= steps for r in listed):
            break
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()

def test_killed_run_resumes_bit_for_bit():
    store = work / "c.db"
    more = ["--set", "stages.1.epochs=20", "--set", "evaluation.every=3", "--set", "evaluation.limit=1"]
    run("run", smoke, "--store", store, "--name", "whole", *more)
    kill_at(20, store, "killed", more)
    run("resume", "killed", "--store", store)
    assert losses(store, "whole")[:2] == losses(store, "killed")[:2]
    assert [e for e in losses(store, "whole")[2]["evaluations"]] == [e for e in losses(store, "killed")[2]["evaluations"]]

def test_resume_on_a_text_file_is_bit_equal_and_refuses_another_text():
    store = work / "h.db"
    text = work / "corpus.jsonl"
    words = "the black cat and the brown bird sit beside the blue bottle .".split()
    lines = [json.dumps({"text": " ".join(words[i % 12:] + words[:i % 7])}) + "\n" for i in range(400)]
    text.write_text("".join(lines))
    more = ["--set", f"data.path={text}", "--set", "data.packing=packed", "--set", "data.sequence_length=32",
            "--set", "evaluation.every=8", "--set", "evaluation.limit=1"]
    run("run", smoke, "--store", store, "--name", "whole", *more)
    kill_at(20, store, "killed", more)
    text.write_text("".join(lines[1:]))
    one_sentence(run("resume", "killed", "--store", store, code=1), "corpus.jsonl", "another one than when")
    text.write_text("".join(lines))
    run("resume", "killed", "--store", store)
    assert losses(store, "whole")[:2] == losses(store, "killed")[:2]
    assert len(list((work / "cache/equipoise/tokens").glob("*.tokens"))) == 2  # each text was tokenised once

def test_interrupt_keeps_a_checkpoint_and_exits_3():
    store = work / "d.db"
    child = subprocess.Popen([program, "run", smoke, "--store", str(store), "--set", "stages.1.epochs=200"], env=env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if "stage 2/2" in line:
            break
    one_sentence(run("run", smoke, "--store", store, code=1), str(child.pid))  # a second writer is told who writes
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=60) == 3
    shown = json.loads(run("show", "1", "--store", store, "--json", "-").stdout)
    assert shown["state"] == "cancelled" and shown["checkpoints"]

def test_wrong_use_is_told_in_one_sentence():
    store = work / "e.db"
    bad = work / "bad.yaml"
    bad.write_text("attention: {windwo: 3}\n")
    one_sentence(run("run", bad, "--store", store, code=2), "attention.windwo", "attention.window")
    one_sentence(run("run", smoke, "--store", store, "--set", "attention.window=wide", code=2), "attention.window", "whole number")
    one_sentence(run("run", work / "none.yaml", "--store", store, code=2), "none.yaml")
    one_sentence(run("run", smoke, "--store", store, "--set", "model=/nowhere", "--set", "data.path=/nowhere",
                     "--set", "evaluation.tasks=perplexity", "--set", "evaluation.data=/nowhere", code=1), "/nowhere")
    one_sentence(run("frobnicate", code=2), 'no command "frobnicate"')
    one_sentence(run("run", smoke, "--store", store, "--set", "evaluation.tasks=builtin:al", code=2), "builtin:al", "nearest", "builtin:all")
    damaged = work / "f.db"
    damaged.write_bytes(b"not a database" * 100)
    one_sentence(run("runs", "--store", damaged, code=1), "f.db")
    one_sentence(run("verify", work / "empty", code=1), "empty")

def test_looking_into_the_embedded_model():
    out = work / "l.safetensors"
    run("logits", "--model", "builtin:tiny", "--ids", "0,5,6,7", "--out", out)
    assert out.stat().st_size > 1000
    one_sentence(run("logits", "--model", "builtin:tiny", "--ids", "99999", "--out", out, code=1), "99999")
    text = json.loads(run("generate", "--model", "builtin:tiny", "--prompt", "the", "--max-tokens", "5", "--json", "-").stdout)
    assert len(text["text"].split()) == 5
    samples = work / "s.jsonl"
    run("evaluate", "--model", "builtin:tiny", "--tasks", "builtin:local", "--components", "teacher,swa", "--limit", 2, "--samples", samples)
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    assert rows and {"task", "doc_id", "component", "target", "loglikelihoods", "greedy", "acc", "acc_norm"} == set(rows[0])
    assert all(r["acc"] == (max(range(len(r["loglikelihoods"])), key=r["loglikelihoods"].__getitem__) == r["target"]) for r in rows)
    doctor = json.loads(run("doctor", "--json", "-").stdout)
    assert any(r["what"] == "LibTorch" for r in doctor)

def test_references_and_real_models():
    if not shared.exists():
        print("skipped: ../shared is not here")
        return
    run("verify", shared / "reference")
    model = shared / "data/models/stories260K"
    golden = json.loads((model / "golden.json").read_text())
    ids = run("tokenize", "--tokenizer", model, text=json.dumps(golden["text"]) + "\n").stdout
    assert json.loads(ids) == golden["input_ids"]
    samples = work / "piqa.jsonl"
    run("evaluate", "--model", model, "--tasks", "piqa,arc_easy", "--data", shared / "data/tasks", "--split", "validation",
        "--components", "teacher", "--limit", 40, "--samples", samples)
    found = [json.loads(line) for line in samples.read_text().splitlines()]
    for task in ("piqa", "arc_easy"):
        expected = [json.loads(line) for line in (shared / f"data/lm-eval/{task}.0shot.jsonl").read_text().splitlines()]
        own = [r for r in found if r["task"] == task]
        assert len(own) == 40
        for mine, theirs in zip(own, expected):
            for a, b in zip(mine["loglikelihoods"], theirs["requests"]):
                assert abs(a - b["loglikelihood"]) < 1e-3, (task, mine, theirs)
            assert mine["acc"] == theirs["acc"] and mine["acc_norm"] == theirs["acc_norm"]
    store = work / "g.db"
    run("run", smoke, "--store", store, "--set", f"model={model}", "--set", f"data.path={shared / 'data/text/tinystories'}",
        "--set", "evaluation.tasks=perplexity,piqa", "--set", f"evaluation.data={shared / 'data/tasks'}", "--set", "evaluation.limit=10")

for name, test in list(globals().items()):
    if name.startswith("test_"):
        start = time.time()
        test()
        print(f"{name}  {time.time() - start:.1f} s", flush=True)
