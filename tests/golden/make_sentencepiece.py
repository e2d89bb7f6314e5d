"""Writes two small SentencePiece models, and sentencepiece.json: texts with the ids that the PyPI library gives.

    pip install sentencepiece==0.2.3 && python make_sentencepiece.py

sentencepiece_bpe.model: byte-pair encoding with byte fallback, as Llama 2's. sentencepiece_unigram.model: unigram with a
normalisation table of its own, which writes ﬁ as fi and 4 as four, and takes repeated spaces away.
"""
import io
import json
import pathlib
import tempfile

import sentencepiece

folder = pathlib.Path(__file__).parent
words = ("the a cat dog sat on mat and then ran away to find some food in the garden where other animals were hiding under "
         "trees because it was raining very hard that morning when nobody wanted to leave home").split()
text = [" ".join(words[(i * 7 + j * j) % len(words)] for j in range(12)) + "." for i in range(300)]


def train(name, **options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(text), model_writer=out, num_threads=1,
                                             minloglevel=2, **options)
    (folder / name).write_bytes(out.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())


with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
    rules.write("FB01\t66 69\n34\t66 6F 75 72\n")
    rules.flush()
    models = {
        "sentencepiece_bpe.model": train("sentencepiece_bpe.model", model_type="bpe", vocab_size=360, byte_fallback=True,
                                         normalization_rule_name="identity", remove_extra_whitespaces=False,
                                         user_defined_symbols=["<sep>"]),
        "sentencepiece_unigram.model": train("sentencepiece_unigram.model", model_type="unigram", vocab_size=60,
                                             normalization_rule_tsv=rules.name)}

texts = ["", "the cat sat", " the  cat ", "  ", "\n\n", "garden<sep>trees", "naïve 猫 \U0001f600", "ﬁnd 4 dogs", "a" * 40,
         "the\u2581cat", "\x00x", "<s>the</s>", "animals were hiding under trees."]
cases = {name: [{"text": t, "ids": m.encode(t)} for t in texts] for name, m in models.items()}
(folder / "sentencepiece.json").write_text(json.dumps(cases, indent=1) + "\n")
