"""How fast a checkpoint is loaded, beside reading its bytes: makes a synthetic Llama folder, then in turn reads the file
into a buffer and loads it with `equipoise load`, the file in the page cache both times. Also the peak memory of loading.

    python3 tests/bench/load.py EQUIPOISE [--gb 1] [--dtype float32] [--rounds 5]

Exit code 1 where the best load reaches less than half of the best read.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

ELEMENT = {"float32": ("F32", 4), "bfloat16": ("BF16", 2), "float16": ("F16", 2)}


def tensors(width, mlp, layers, vocabulary):
    yield "model.embed_tokens.weight", [vocabulary, width]
    for i in range(layers):
        at = f"model.layers.{i}."
        yield at + "input_layernorm.weight", [width]
        yield at + "post_attention_layernorm.weight", [width]
        for name, rows in (("q", width), ("k", width // 4), ("v", width // 4), ("o", width)):
            yield at + f"self_attn.{name}_proj.weight", [rows, width]
        for name in ("gate", "up"):
            yield at + f"mlp.{name}_proj.weight", [mlp, width]
        yield at + "mlp.down_proj.weight", [width, mlp]
    yield "model.norm.weight", [width]
    yield "lm_head.weight", [vocabulary, width]


def make_folder(folder, gigabytes, dtype):
    word, size = ELEMENT[dtype]
    width, mlp, vocabulary = 2048, 5632, 16000
    layer = width * width * 5 // 2 + 3 * width * mlp + 2 * width
    layers = max(1, round((gigabytes * 1e9 / size - 2 * vocabulary * width) / layer))
    header, offset = {}, 0
    for name, shape in tensors(width, mlp, layers, vocabulary):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": word, "shape": shape, "data_offsets": [offset, offset + count * size]}
        offset += count * size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    block = os.urandom(1 << 24).replace(b"\x7f", b"\x3e").replace(b"\xff", b"\xbe")  # no infinities
    with open(folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for at in range(0, offset, len(block)):
            out.write(block[:min(len(block), offset - at)])
    (folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": layers,
        "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": vocabulary, "torch_dtype": dtype}))
    return offset


def read_seconds(path):
    """As cat does it: blocks of 128 KiB into one buffer."""
    buffer = bytearray(1 << 17)
    start = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.perf_counter() - start


def load_once(program, folder, dtype):
    """Seconds as the program reports them, and its peak resident memory in bytes."""
    done = subprocess.Popen([program, "load", folder, "--dtype", dtype, "--device", "cpu", "--json", "-"], stdout=subprocess.PIPE)
    out = done.stdout.read()
    _, status, usage = os.wait4(done.pid, 0)
    if status:
        sys.exit("equipoise load failed")
    return json.loads(out)["seconds"], usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--dtype", default="float32", choices=ELEMENT)
    parser.add_argument("--run-dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="equipoise-load-") as name:
        folder = pathlib.Path(name)
        size = make_folder(folder, options.gb, options.dtype)
        print(f"{size / 1e9:.2f} GB of {options.dtype}, loaded as {options.run_dtype}")
        reads, loads, peaks = [], [], []
        for _ in range(options.rounds):
            reads.append(read_seconds(folder / "model.safetensors"))
            seconds, peak = load_once(options.program, folder, options.run_dtype)
            loads.append(seconds)
            peaks.append(peak)
            print(f"  read {size / reads[-1] / 1e9:5.2f} GB/s   load {size / loads[-1] / 1e9:5.2f} GB/s   peak {peak / 1e9:.2f} GB")
    ratio = min(reads) / min(loads)
    print(f"best load reaches {ratio:.2f} of the best read (expected: at least 0.50); peak memory {max(peaks) / size:.2f} of the file")
    sys.exit(0 if ratio >= 0.5 else 1)


if __name__ == "__main__":
    main()
