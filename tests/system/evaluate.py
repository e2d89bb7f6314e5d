"""`equipoise evaluate` on a real model: the LM Evaluation Harness's strings and numbers, whatever the batch; stopped and gone on."""
import json, os, pathlib, signal, subprocess, sys, tempfile, time

program, root = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
shared = root.parent / "shared" / "data"
if not shared.exists():
    print("skipped: ../shared is not there")
    sys.exit(77)
model = shared / "models" / "stories260K"
work = pathlib.Path(tempfile.mkdtemp(prefix="equipoise-evaluate-"))
environment = {**os.environ, "XDG_CACHE_HOME": str(work), "XDG_DATA_HOME": str(work)}


def command(tasks, samples, *more):
    return [program, "evaluate", "--model", model, "--tasks", tasks, "--data", shared / "tasks", "--samples", work / samples, *more]


def evaluate(tasks, samples, *more):
    done = subprocess.run(command(tasks, samples, *more, "--json", "-"), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in open(work / samples)], json.loads(done.stdout)


def worst(a, b):
    assert len(a) == len(b) and all((x["task"], x["doc_id"], x["component"]) == (y["task"], y["doc_id"], y["component"]) for x, y in zip(a, b))
    return max(abs(x - y) for r, s in zip(a, b) for x, y in zip(r["loglikelihoods"], s["loglikelihoods"]))


def equals_the_harness():
    for name, limit in (("piqa", 30), ("arc_easy", 30), ("hellaswag", 20), ("winogrande", 60)):
        rows, _ = evaluate(name, "h.jsonl", "--components", "teacher", "--split", "validation", "--limit", str(limit), "--harness", work / "out")
        files = sorted((work / "out" / "teacher").glob(f"samples_{name}_*.jsonl"))
        written = [json.loads(line) for line in open(files[-1])]
        expected = [json.loads(line) for line in open(shared / "lm-eval" / f"{name}.0shot.jsonl")][:len(rows)]
        assert len(rows) == len(written) > 0
        for own, export, peer in zip(rows, written, expected):
            for i, request in enumerate(peer["requests"]):
                at = f"{name} {own['doc_id']} {i}"
                assert export["arguments"][f"gen_args_{i}"] == {"arg_0": request["context"], "arg_1": request["continuation"]}, at
                assert abs(own["loglikelihoods"][i] - request["loglikelihood"]) < 1e-3, at
                assert own["greedy"][i] == request["is_greedy"], at
            assert own["acc"] == peer["acc"] and own["acc_norm"] == peer.get("acc_norm", own["acc_norm"]), at


def does_not_depend_on_the_batch():
    components = "teacher,hybrid,hybrid-overlap,swa,linear,linear-outside,swa+sinks,sinks,none"
    by_size = {n: evaluate("piqa,winogrande", f"b{n}.jsonl", "--components", components, "--limit", "8", "--batch-size", str(n))
               for n in (1, 7, 64)}
    for n in (7, 64):
        assert worst(by_size[1][0], by_size[n][0]) < 1e-4
    # A request alone takes another form of the same sum (chunks instead of a prefix tree): float32 on sums of several hundred.
    assert all(c["largest_difference"] < 5e-4 for c in by_size[64][1]["batch_checks"])


def goes_on_where_it_was_stopped():
    arguments = ("piqa,hellaswag", "r.jsonl", "--components", "teacher,linear", "--split", "validation", "--limit", "150")
    partial = work / "r.jsonl.partial"
    run = subprocess.Popen(command(*arguments), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if run.poll() is not None or (partial.exists() and partial.stat().st_size > 20000):
            break
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate()
    assert run.returncode == 3 and ".partial" in said, (run.returncode, said)
    known = sum(1 for _ in open(partial))
    assert known > 1 and not (work / "r.jsonl").exists()
    whole, _ = evaluate(*arguments)
    fresh, _ = evaluate(arguments[0], "fresh.jsonl", *arguments[2:])
    assert worst(whole, fresh) < 1e-4 and not partial.exists()


def takes_a_task_of_ones_own():
    (work / "own").mkdir()
    (work / "own" / "test.jsonl").write_text('{"begin": "Once upon a", "right": "time", "wrong": "sock"}\n' * 3)
    (work / "own.yaml").write_text('task: own\ndataset: own\ncontext: "{begin}"\nchoices: ["{wrong}", "{right}"]\nanswer: 1\n')
    rows, _ = evaluate(str(work / "own.yaml"), "own.jsonl", "--components", "teacher")
    assert [r["acc"] for r in rows] == [1, 1, 1]


equals_the_harness()
does_not_depend_on_the_batch()
goes_on_where_it_was_stopped()
takes_a_task_of_ones_own()
print("evaluate: equal to the harness, whatever the batch, and goes on where it was stopped")
