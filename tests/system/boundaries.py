"""What linking cannot say about who may know whom: includes per folder (the dependency rules of the README)."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
PUBLIC = {"engine/recipe.h", "engine/event.h", "engine/session.h", "engine/run_store.h", "engine/log.h", "engine/verdict.h",
          "engine/inspect.h", "engine/paper.h", "engine/sweep.h", "engine/bench.h", "engine/eval/intervals.h", "engine/diagnose.h", "engine/resources.h",
          "engine/kept_scores.h", "engine/tags.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
problems = []

def check(folder, forbidden):
    for path in sorted((root / folder).rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        name = path.relative_to(root).as_posix()
        for kind, target in INCLUDE.findall(path.read_text()):
            reason = forbidden(name, kind, target)
            if reason:
                problems.append(f"{name}: includes {target}: {reason}")

def engine(name, kind, target):
    if target.startswith("torch/") and name != "engine/torch_api.h":
        return "only engine/torch_api.h includes torch"
    if re.match(r"Q[A-Z]|Qt|ui/|app/", target):
        return "the engine knows neither Qt nor its faces"
    if target == "sqlite3.h" and not re.search(r"sqlite|run_|store|event_rows", name):
        return "SQL stays in the store"
    if re.match(r"arrow/|parquet/", target) and name != "engine/data/parquet_file.cpp":
        return "only engine/data/parquet_file.cpp includes Arrow"
    area = name.split("/")[1]
    other = target.split("/")[1] if target.startswith("engine/") and target.count("/") > 1 else ""
    if area in ("convert", "train", "eval") and other in ("convert", "train", "eval") and other != area:
        return "convert, train and eval do not know each other"
    if name in ("engine/recipe.h", "engine/event.h") and target.startswith("engine/"):
        return "recipe and event know nobody"

def ui(name, kind, target):
    if target.startswith("engine/") and target not in PUBLIC:
        return "the window knows the engine's public headers only"
    if re.match(r"torch/|arrow/|parquet/|sqlite3|spdlog|yaml-cpp|nlohmann", target):
        return "the engine's libraries stay in the engine"

def public(name, kind, target):
    if name in PUBLIC and re.match(r"torch/|sqlite3|spdlog|yaml-cpp|nlohmann|engine/torch_api", target):
        return "a public header shows no library"

def kernels(name, kind, target):
    if re.match(r"torch/|Q[A-Z]|Qt|engine/|ui/|app/", target):
        return "kernels know the standard library, Highway and each other"

check("kernels", kernels)
check("engine", engine)
check("engine", public)
check("ui", ui)
check("app", lambda n, k, t: "the faces stay free of torch" if t.startswith("torch/") or t == "engine/torch_api.h" else None)
print("\n".join(problems) or "boundaries hold")
sys.exit(bool(problems))
