"""`equipoise diagnose`: a model, a run with checkpoints, seeds beside each other, exports, and what is said of bad questions."""
import fcntl, json, os, pathlib, subprocess, sys, tempfile

program, root = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
work = pathlib.Path(tempfile.mkdtemp(prefix="equipoise-diagnose-"))
environment = {**os.environ, "XDG_CACHE_HOME": str(work), "XDG_DATA_HOME": str(work)}
few = ["--limit", "3", "--probe-sequences", "2", "--max-distance", "16", "--rows", "1", "--row-tokens", "64", "--examples", "1"]


def call(*arguments, code=0):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=environment)
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    return done


def an_unexposed_task_cannot_tell():
    d = json.loads(call("diagnose", "--model", "builtin:tiny", "--what", "exposure,verdict", "--window", "256", "--limit", "3", "--json", "-").stdout)
    assert d["verdict"]["use"] == "cannot tell" and d["verdict"]["exposed"] == 0 and d["verdict"]["examples"] > 50
    assert "not exposed" in d["verdict"]["headline"]
    assert all(e["exposed_examples"] == 0 and e["never_h_swa"]["difference"]["value"] == 0 for e in d["exposure"])


def a_run_is_opened_and_seeds_stand_beside_each_other():
    store = work / "store.db"
    recipe = work / "short.yaml"
    recipe.write_text("name: short\ndata: {tokens_per_epoch: 4096}\nattention: {window: 32}\nstages:\n"
                      "  - {kind: transfer, accumulation: 1, batch_size: 2, learning_rate: 0.01}\n"
                      "  - {kind: finetune, accumulation: 1, batch_size: 2, learning_rate: 0.001}\nevaluation: {limit: 2, every: 0}\n")
    for seed in (1, 2):
        call("--store", store, "run", recipe, "--seed", seed)
    html, csv = work / "d.html", work / "d.csv"
    out = json.loads(call("--store", store, "diagnose", "1", "2", *few, "--html", html, "--csv", csv, "--json", "-").stdout)
    first, second = out["diagnoses"]
    assert first["recipe_hash"] == second["recipe_hash"] and (first["seed"], second["seed"]) == (1, 2)
    assert first["features"]["maps"] != second["features"]["maps"]
    assert any(m["distance"] > 0 for m in first["features"]["maps"]), "the transfer moved the maps"
    seeds, = out["over_seeds"]
    values = [d["verdict"]["delta_h_swa"]["difference"]["value"] for d in (first, second)]
    mean = sum(values) / 2
    half = 12.706204736 * abs(values[0] - values[1]) / 2  # t with one degree of freedom, s/√2 = |a − b|/2
    assert seeds["seeds"] == [1, 2] and abs(seeds["delta_h_swa"]["value"] - mean) < 1e-12
    assert abs(seeds["delta_h_swa"]["high"] - mean - half) < 1e-6
    page = html.read_text()
    assert page.count("<section>") == 2 and "src=" not in page and "http" not in page and first["verdict"]["headline"] in page
    rows = csv.read_text().splitlines()
    assert rows[1] == "part,what,where,component,measure,value,low,high,n" and sum(r.startswith("knockout,") for r in rows) == 2 * 2 * 20
    saved_settings_stand_apart(store)
    text = call("--store", store, "diagnose", "1", "--what", "verdict", "--limit", "3").stdout
    assert first["verdict"]["headline"] in text


def saved_settings_stand_apart(store):
    before = json.loads(call("--store", store, "show", "1", "--json", "-").stdout)
    steps = [c["step"] for c in before["checkpoints"]]
    call("--store", store, "diagnose", f"1@{steps[0]}", "--what", "whatif", "--limit", "2", "--what-if", "window=16,g=0.3", "--save")
    after = json.loads(call("--store", store, "show", "1", "--json", "-").stdout)
    assert after["evaluations"] == before["evaluations"] and before["what_if"] == []
    assert {(e["step"], e["component"]) for e in after["what_if"]} == {(steps[0], "what if: hybrid, window 16, g 0.3")}
    assert "what if: hybrid, window 16, g 0.3" in call("--store", store, "show", "1").stdout
    assert "name both" in call("diagnose", "--model", "builtin:tiny", "--save", code=2).stderr
    tried = ["--store", store, "diagnose", "1", "--what-if", "window=8", "--save"]
    assert "whatif" in call(*tried, "--what", "verdict", code=2).stderr
    with open(f"{store}.lock", "w") as lock:  # another program writes: said before anything is measured
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = call(*tried, "--what", "whatif", "--html", work / "none.html", code=1)
    assert "another program" in busy.stderr and not (work / "none.html").exists() and not busy.stdout
    assert json.loads(call("--store", store, "show", "1", "--json", "-").stdout)["what_if"] == after["what_if"]


def examples_longer_than_the_model_are_cut():
    shared = root.parent / "shared" / "data"
    if not shared.exists():
        print("skipped: ../shared is not here")
        return
    d = json.loads(call("diagnose", "--model", shared / "models/aidreams260K", "--tasks", "piqa,arc_easy", "--data", shared / "tasks",
                        "--limit", "6", "--max-distance", "32", "--probe-sequences", "2", "--rows", "2", "--examples", "1", "--json", "-").stdout)
    assert d["maps"]["tokens"] and len(d["continuations"]) == 5 and d["verdict"]["use"] == "cannot tell"


def settings_are_tried():
    d = json.loads(call("diagnose", "--model", "builtin:tiny", "--what", "whatif", "--limit", "3", "--window", "32",
                        "--what-if", "window=32", "--what-if", "g=1", "--what-if", "component=swa", "--what-if", "layers=hybrid/swa", "--json", "-").stdout)
    same, alone, swa, cut = d["what_if"]
    assert same["against_stored"]["difference"]["value"] == 0
    assert alone["all"]["accuracy"]["value"] == swa["all"]["accuracy"]["value"] and abs(alone["all"]["loss"]["value"] - swa["all"]["loss"]["value"]) < 1e-6
    assert cut["setting"]["layers"] == ["hybrid", "swa"]


def bad_questions_are_named():
    assert "knockout" in call("diagnose", "--model", "builtin:tiny", "--what", "layer", code=2).stderr
    assert "window=N" in call("diagnose", "--model", "builtin:tiny", "--what-if", "g=2", code=2).stderr
    assert "either runs or --model" in call("diagnose", code=2).stderr
    assert "builtin:agreement" in call("diagnose", "--model", "builtin:tiny", "--tasks", "builtin:nonsense", code=1).stderr
    assert "0 to 3" in call("diagnose", "--model", "builtin:tiny", "--what", "maps", "--head", "9", "--limit", "1", code=1).stderr


an_unexposed_task_cannot_tell()
examples_longer_than_the_model_are_cut()
settings_are_tried()
bad_questions_are_named()
a_run_is_opened_and_seeds_stand_beside_each_other()
print("diagnose: models, runs, seeds and settings are opened, bad questions named")
