#!/usr/bin/env python3
"""Makes text_metrics.json: what the Python packages score for random and for odd outputs.

    pip install lm_eval==0.4.13 rouge==1.0.1 fuzzywuzzy==0.18.0 rouge_score==0.1.2 jieba
    python make_text_metrics.py > text_metrics.json

python-Levenshtein must not answer for difflib: lm_eval[longbench] does not require it.
"""
import difflib
import importlib.metadata
import json
import random
import sys

from fuzzywuzzy import fuzz
from lm_eval.tasks.longbench import metrics as longbench
from rouge_score import rouge_scorer

fuzz.SequenceMatcher = difflib.SequenceMatcher
sys.setrecursionlimit(20000)  # the package rouge recurses over words
SEED = 7
rng = random.Random(SEED)
scrolls = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)

WORDS = """the a an cat sat on mat Mat. dog; in Paris, 1997 well-known don't Straße ΣΟΦΟΣ İstanbul K-means co-op
Ünïcode 段落 段落7 7 12 twelve a.m. e.g. U.S. — “quoted” x_y the_end THE An A, yes no answer: (b) café e\u0301 ...""".split()
CLASSES = ["Abbreviation", "Expression abbreviated", "Animal", "Organ of body", "Color", "Other entity", "entity",
           "Invention, book and other creative piece", "Color of", "Individual"]
CODE = "return self.value\nif x:\n# note\n// c\n`quoted`\n    foo(bar, baz)\n\n \nfor i in range(10):\nint main() {".split("\n")


def text(most):
    joints = [" ", " ", " ", "  ", "\n", ". ", " . ", ".", "\t", "\u00a0"]
    return "".join(rng.choice(WORDS) + rng.choice(joints) for _ in range(rng.randint(0, most)))


def mutated(base):
    words = base.split(" ")
    for _ in range(rng.randint(0, 4)):
        if words:
            words[rng.randrange(len(words))] = rng.choice(WORDS)
    return " ".join(words)


def best(score, output, answers):
    return max([0.0] + [float(score(output, a)) for a in answers])


def stripped(score):
    return lambda output, answer: score(output.strip(), answer)


def exact(output, answer):
    return longbench.normalize_answer(output) == longbench.normalize_answer(answer)


def google(name):
    return lambda output, answer: scrolls.score(answer, output)[name].fmeasure


def cases():
    for i in range(45):
        answers = [text(14) for _ in range(rng.randint(1, 3))]
        output = mutated(rng.choice(answers)) if rng.random() < 0.7 else text(20)
        for name, score in [("f1", stripped(longbench.qa_f1_score)), ("em", exact),
                            ("rouge_l", stripped(longbench.rouge_score)), ("rouge1", google("rouge1")),
                            ("rouge2", google("rouge2")), ("rougeL", google("rougeL"))]:
            if (i + len(name)) % 2 or i < 20:
                yield name, output, answers, [], best(score, output, answers)
    for answer, output in [("a", "the"), ("", ""), ("The cat", "cat the!"), ("x", " "), ("Answer", "  answer. ")]:
        for name, score in [("f1", longbench.qa_f1_score), ("em", exact),
                            ("rouge_l", stripped(longbench.rouge_score)), ("rougeL", google("rougeL"))]:
            yield name, output, [answer], [], best(score, output, [answer])
    long_answer, long_output = [" ".join(rng.choice(WORDS) for _ in range(150)) for _ in range(2)]
    yield "rouge_l", long_output, [long_answer], [], best(longbench.rouge_score, long_output, [long_answer])
    for _ in range(40):
        number = str(rng.randint(1, 30))
        output = text(5) + rng.choice(["", number, f"Paragraph {number}", f"段落{number}, 3", "٣ " + number]) + text(3)
        yield "count", output, [number], [], best(stripped(longbench.count_score), output, [number])
        en, zh = [f"Paragraph {number}"], [f"段落{number}"]
        yield "retrieval", output, en, [], best(stripped(longbench.retrieval_score), output, en)
        yield "retrieval_zh", output, zh, [], best(stripped(longbench.retrieval_zh_score), output, zh)
    for _ in range(40):
        answers = rng.sample(CLASSES, rng.randint(1, 2))
        output = " ".join(rng.sample(CLASSES, rng.randint(0, 4)))
        score = stripped(lambda o, a: longbench.classification_score(o, a, all_classes=CLASSES))
        yield "classification", output, answers, CLASSES, best(score, output, answers)
    for i in range(60):
        answer = rng.choice(CODE) + "".join(rng.choice("abcx() =.") for _ in range(rng.choice([0, 8, 40, 260])))
        line = list(answer)
        for _ in range(rng.randint(0, 12)):
            line.insert(rng.randint(0, len(line)), rng.choice("abxyz ()é"))
        output = "\n".join(rng.sample(CODE, rng.randint(0, 3)) + (["".join(line)] if rng.random() < 0.8 else []))
        if i % 2:
            output = "".join(line)
        yield "code_similarity", output, [answer], [], best(longbench.code_sim_score, output, [answer])


def main():
    versions = {p: importlib.metadata.version(p) for p in ["lm_eval", "rouge", "fuzzywuzzy", "rouge_score"]}
    lines = [json.dumps({"metric": m, "output": o, "answers": a, "classes": c, "score": s}, ensure_ascii=False)
             for m, o, a, c, s in cases()]
    print('{"made_by": "make_text_metrics.py", "seed": %d, "versions": %s,\n"cases": [\n%s\n]}'
          % (SEED, json.dumps(versions), ",\n".join(lines)))


if __name__ == "__main__":
    main()
