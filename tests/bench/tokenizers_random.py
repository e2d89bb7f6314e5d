"""Random strings through `equipoise tokenize` and the PyPI tokenizers library: how many get other ids.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 && python tests/bench/tokenizers_random.py EQUIPOISE FOLDER... [--count 2000]

FOLDER holds a tokenizer.json (compared with tokenizers) or only a tokenizer.model (compared with sentencepiece). Exit code
1 where any differs.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import unicodedata

import sentencepiece
from tokenizers import Tokenizer

BLOCKS = [(0x20, 0x7F), (0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x180), (0x300, 0x370), (0x370, 0x530), (0x590, 0x780), (0x900, 0xE80),
          (0x1100, 0x1200), (0x1E00, 0x2070), (0x2070, 0x2C00), (0x3000, 0x3100), (0x4E00, 0x5200), (0xAC00, 0xAD00),
          (0xF900, 0xFB50), (0xFE00, 0xFFF0), (0x1D400, 0x1D800), (0x1F300, 0x1FB00), (0x20000, 0x20100), (0xE0000, 0xE0080), (0, 0x20)]
SPACES = [" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028", "\u0085", "\u180e", "\ufeff"]
WORDS = ["the", "don't", "I'LL", "We'Re", "12345", "3.14", "http://x.y/z?a=1", "ﬁ", "İ", "ẞ", "Σς", "e\u0301", "\u1100\u1161", "👩‍👩‍👧",
         "<s>", "</s>", "<unk>", "<|endoftext|>", "<|im_start|>", "<|begin_of_text|>", "<0x0A>", "▁", "▁▁the", "Ġ", "'s", "_a_b", "中文", "٣٤"]


def string(draw, words):
    parts = []
    for _ in range(draw.randint(0, 12)):
        kind = draw.random()
        if kind < 0.35:
            parts.append(draw.choice(words))
        elif kind < 0.6:
            parts.append(draw.choice(SPACES))
        else:
            low, high = draw.choice(BLOCKS)
            for _ in range(draw.randint(1, 6)):
                c = chr(draw.randrange(low, high))
                if unicodedata.category(c) != "Cs":
                    parts.append(c)
    return "".join(parts)


def own_ids(program, folder, texts):
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    done = subprocess.run([program, "tokenize", "--tokenizer", folder, "--no-special"], input=lines, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def reference(folder):
    file = folder / "tokenizer.json"
    if file.exists():
        tokenizer = Tokenizer.from_file(str(file))
        return (lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
                [t.content for t in tokenizer.get_added_tokens_decoder().values()])
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return model.encode, None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    for folder in options.folders:
        encode, added = reference(folder)
        # The bare library knows no added tokens.
        words = [w for w in WORDS if added is not None or not w.startswith("<")] + (added or [])[:20]
        draw = random.Random(options.seed)
        texts = [string(draw, words) for _ in range(options.count)]
        different = [(t, o, e) for t, o, e in zip(texts, own_ids(options.program, folder, texts), map(encode, texts)) if o != e]
        print(f"{folder.name}: {len(different)} of {len(texts)} differ")
        for text, own, expected in different[:5]:
            print(f"  {text!r}\n    own      {own}\n    expected {expected}")
        failed |= bool(different)
    sys.exit(failed)


main()
