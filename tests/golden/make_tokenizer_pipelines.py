"""Writes tokenizer_pipelines.json: random tokenizer.json pipelines over two small models, and what PyPI's tokenizers gives.

    pip install tokenizers==0.23.3 && python make_tokenizer_pipelines.py

`models`: two trained models. Each case: model, normalizer, pre_tokenizer, decoder, added_tokens (the parts of a
tokenizer.json), and texts with their ids and the decoded text (null where the library panics).
"""
import json
import pathlib
import random

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

WORDS = ["the", "then", "don't", "I'LL", "12345", "3.14", "x_y", "ﬁ", "İ", "ẞ", "Σς", "e\u0301", "\u1100\u1161", "👩‍👩‍👧", "㋿", "𠮷",
         "<s>", "</s>", "<0x0A>", "▁", "▁▁the", "Ġ", "中文", "٣٤", "\u061d", "\u166d", "hello", "de", "、カ〆"]
SPACES = [" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "\u200b", "\u2028", "\u0085", "\u180e", "\ufeff"]
PATTERNS = [r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r"\s+", r"\d{1,3}(?=(?:\d{3})*\b)",
            r"\w+|[^\w\s]+", r"\p{P}", r"(?i:'[sdmt]|'ll|'ve|'re)", r"\p{Han}", r"\p{Letter}+|\p{^Katakana}", r"[\x{4E00}-\x{9FFF}]+", r"^\s|\s$", r"[[:space:]]+", "."]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
TRAINING = ["the cat sat on the mat and then the hen hid in the shed", "she sells sea shells on the sea shore"] * 4


def trained(byte_level):
    tokenizer = Tokenizer(models.BPE(unk_token=None if byte_level else "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel() if byte_level else pre_tokenizers.Metaspace()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    special = [] if byte_level else ["<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    tokenizer.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=special,
                                                                show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    model["byte_fallback"] = not byte_level
    return model


def normalizer(draw):
    kind = draw.choice(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "Replace", "Replace", "Prepend"])
    if kind == "Strip":
        return {"type": kind, "strip_left": draw.random() < 0.5, "strip_right": draw.random() < 0.5}
    if kind == "Replace":
        pattern = draw.choice([{"String": " "}, {"String": "a"}, {"Regex": " {2,}"}, {"Regex": r"\s"}, {"Regex": r"\p{M}"}])
        return {"type": kind, "pattern": pattern, "content": draw.choice(["▁", "", " ", "xy"])}
    if kind == "Prepend":
        return {"type": kind, "prepend": draw.choice(["▁", "x"])}
    return {"type": kind}


def pre_tokenizer(draw):
    kind = draw.choice(["Split", "Split", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit", "Digits", "Punctuation",
                        "CharDelimiterSplit", "BertPreTokenizer"])
    if kind == "Split":
        pattern = draw.choice([{"Regex": draw.choice(PATTERNS)}, {"String": draw.choice([" ", "a", "th"])}])
        return {"type": kind, "pattern": pattern, "behavior": draw.choice(BEHAVIORS), "invert": draw.random() < 0.3}
    if kind == "ByteLevel":
        return {"type": kind, "add_prefix_space": draw.random() < 0.5, "trim_offsets": True, "use_regex": draw.random() < 0.5}
    if kind == "Metaspace":
        return {"type": kind, "replacement": "▁", "prepend_scheme": draw.choice(["always", "first", "never"]), "split": draw.random() < 0.5}
    return {"Digits": {"type": kind, "individual_digits": draw.random() < 0.5},
            "Punctuation": {"type": kind, "behavior": draw.choice(BEHAVIORS)},
            "CharDelimiterSplit": {"type": kind, "delimiter": draw.choice([" ", "e"])}}.get(kind, {"type": kind})


def added_tokens(draw):
    words = draw.sample(["<s>", "</s>", "the", "  ", "\n", "de", "ﬁ", "É", "<|x|>", "a b"], draw.randint(0, 4))
    return [{"id": 300 + i, "content": w, "single_word": draw.random() < 0.3, "lstrip": draw.random() < 0.3,
             "rstrip": draw.random() < 0.3, "normalized": draw.random() < 0.5, "special": draw.random() < 0.5}
            for i, w in enumerate(words)]


def text(draw):
    return "".join(draw.choice(WORDS if draw.random() < 0.6 else SPACES) for _ in range(draw.randint(1, 7)))


def decoder(draw):
    return draw.choice([
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": draw.choice(["always", "first", "never"]), "split": True},
        {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                          {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}])


def result(work):
    try:
        return work()
    except BaseException:  # a Rust panic
        return None


def case(draw, shared):
    kind = draw.choice(list(shared))
    steps = [pre_tokenizer(draw) for _ in range(draw.randint(0, 2))]
    if kind == "bytes":
        steps.append({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": draw.random() < 0.5})
    parts = {"normalizer": {"type": "Sequence", "normalizers": [normalizer(draw) for _ in range(draw.randint(0, 2))]},
             "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps} if steps else None, "decoder": decoder(draw),
             "added_tokens": added_tokens(draw)}
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "post_processor": None, "model": shared[kind], **parts}))
    texts = []
    for t in (text(draw) for _ in range(4)):
        ids = result(lambda: tokenizer.encode(t, add_special_tokens=False).ids)
        if ids is not None:
            texts.append({"text": t, "ids": ids, "decoded": result(lambda: tokenizer.decode(ids, skip_special_tokens=True))})
    return {"model": kind, **parts, "texts": texts}


def main():
    shared = {"bytes": trained(True), "characters": trained(False)}
    cases = [case(random.Random(seed), shared) for seed in range(60)]
    out = pathlib.Path(__file__).with_name("tokenizer_pipelines.json")
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    out.write_text('{"models":%s,\n"cases":[\n%s\n]}\n' % (json.dumps(shared, separators=(",", ":")), lines))
    print(len(cases), "cases,", sum(len(c["texts"]) for c in cases), "texts")


main()
