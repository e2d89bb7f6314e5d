"""Every preset runs for a few steps, its gates hold, and a run may begin with another's tensors."""
import json
import pathlib
import subprocess
import sys
import tempfile

equipoise = sys.argv[1]
SHORT = ["threads=1", "data.tokens_per_epoch=4096", "data.validation_rows=4", "evaluation.limit=2", "evaluation.every=2",
         "evaluation.tasks=builtin:agreement,builtin:recall@32-64"]


def call(*arguments, code=0):
    done = subprocess.run([equipoise, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done


def settings(recipe, extra=()):
    """--set for a short run; every stage takes one epoch of two steps."""
    stages = recipe.count("- kind:")
    every = SHORT + [f"stages.{i}.epochs=1" for i in range(stages)] + list(extra)
    return [word for one in every for word in ("--set", one)]


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    store = folder / "runs.db"
    presets = json.loads(call("recipe", "--json", "-").stdout)
    assert len(presets) >= 19
    for preset in presets:
        run = call("run", preset["name"], "--store", store, *settings(preset["recipe"])).stdout.split()[-1]
        shown = json.loads(call("show", run, "--store", store, "--json", "-").stdout)
        assert shown["state"] == "done", shown["message"]
        series = shown["series"]
        published = preset["name"] == "lolcats-published"
        gates = ["identity"] if published else ["identity", "decode", "batch"]
        for gate in gates:
            worst = max(value for _, value in series[f"gate/{gate}"])
            assert worst <= 1e-4, f"{preset['name']}: gate {gate} {worst}"
        if "- kind:" in preset["recipe"]:
            assert series["train/loss"] and all(isinstance(v, (int, float)) for _, v in series["train/loss"]), preset["name"]
        if preset["name"] != "sliding-window" and "hybrid" in preset["recipe"]:
            assert "map/layer.0.rank" in series and "denominator/layer.1.min" in series, preset["name"]
        exposure = {e["task"]: e["value"] for e in shown["evaluations"] if e["component"] == "exposure"}
        assert len(exposure) == 2 and all(0 <= v <= 1 for v in exposure.values()), exposure
        assert exposure["recall@32-64"] == 1, exposure  # the fact stands at least a window back

    # A chain: a run that begins with another's maps scores as that one did.
    first = call("run", "ssd", "--store", store, "--name", "first", *settings("- kind: - kind:")).stdout.split()[-1]
    second = call("run", "ssd", "--store", store, "--name", "second", *settings("- kind: - kind:", [f"start_from={first}"])).stdout.split()[-1]
    scores = []
    for run in (first, second):
        shown = json.loads(call("show", run, "--store", store, "--json", "-").stdout)
        of = [e for e in shown["evaluations"] if e["component"] == "hybrid" and e["task"] == "all"]
        scores.append((of[0], of[-1]))
        recipe = shown["recipe"]
    assert f'"{first}@' in recipe or f"{first}@" in recipe, "the resolved recipe names the checkpoint"
    assert scores[1][0]["value"] == scores[0][1]["value"], scores
    refused = call("run", "liger", "--store", store, *settings("- kind:", ["start_from=first"]), code=1)
    assert "start_from" in refused.stderr and "has no place for" in refused.stderr, refused.stderr
    missing = call("run", "ssd", "--store", store, *settings("- kind: - kind:", ["start_from=nobody"]), code=1)
    assert "neither a run" in missing.stderr, missing.stderr
    print(f"{len(presets)} presets run, gates hold, chains go on")


main()
