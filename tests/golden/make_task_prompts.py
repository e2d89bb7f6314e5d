#!/usr/bin/env python3
"""Makes task_prompts.json: hashes of the prompts that lm-eval builds, with shots, for the shared data.

    pip install lm_eval==0.4.13
    python make_task_prompts.py SHARED/data/tasks > task_prompts.json

Of each task's first 100 documents and each number of shots: SHA-256 over every request's context, a NUL, its
continuation and a newline. The shared data have no train split, so shots come from validation or test as the harness
falls back; sciq has no test split there and is given none. Works without a network.
"""
import copy
import hashlib
import importlib.metadata
import json
import os
import pathlib
import sys

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
import lm_eval.tasks
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

DOCUMENTS = 100
TASKS = {
    "piqa": ("piqa/piqa.yaml", "piqa/{}.jsonl", ["validation"]),
    "arc_easy": ("arc/arc_easy.yaml", "ai2_arc/ARC-Easy.{}.jsonl", ["validation", "test"]),
    "arc_challenge": ("arc/arc_challenge.yaml", "ai2_arc/ARC-Challenge.{}.jsonl", ["validation", "test"]),
    "hellaswag": ("hellaswag/hellaswag.yaml", "hellaswag/{}.jsonl", ["validation"]),
    "winogrande": ("winogrande/default.yaml", "winogrande/{}.jsonl", ["validation"]),
    "openbookqa": ("openbookqa/openbookqa.yaml", "openbookqa/{}.jsonl", ["validation", "test"]),
    "sciq": ("sciq/sciq.yaml", "sciq/{}.jsonl", ["validation"]),
    "lambada_openai": ("lambada/lambada_openai.yaml", "lambada/{}.jsonl", ["test"]),
}


def digest(task, shots):
    yaml, pattern, splits = TASKS[task]
    config = dict(load_yaml(str(pathlib.Path(lm_eval.tasks.__file__).parent / yaml)))
    config.pop("tag", None)
    files = {split: str(pathlib.Path(sys.argv[1]) / pattern.format(split)) for split in splits}
    config.update(task=task, dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": files},
                  training_split=None)
    for split in ("validation", "test"):
        if split not in splits:
            config[split + "_split"] = None
    built = ConfigurableTask(config=copy.deepcopy(config))
    built.set_config("num_fewshot", shots)
    built.set_fewshot_seed(1234)
    built.build_all_requests(limit=DOCUMENTS, rank=0, world_size=1)
    out = hashlib.sha256()
    for request in sorted(built.instances, key=lambda i: (i.doc_id, i.idx)):
        out.update("{}\0{}\n".format(*request.arguments).encode())
    return out.hexdigest()


def main():
    rows = ['"%s": {%s}' % (task, ", ".join('"%d": "%s"' % (n, digest(task, n)) for n in (0, 2, 5))) for task in TASKS]
    print('{"made_by": "make_task_prompts.py", "lm_eval": "%s", "documents": %d, "seed": 1234,\n"tasks": {\n%s\n}}'
          % (importlib.metadata.version("lm_eval"), DOCUMENTS, ",\n".join(rows)))


if __name__ == "__main__":
    main()
