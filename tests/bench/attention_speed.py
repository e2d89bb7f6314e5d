"""equipoise bench attention against PyTorch of the same machine, side by side: softmax (its scaled_dot_product_attention),
the quadratic hybrid and, on a GPU where it is installed, flash-linear-attention's chunked kernel. Never a part of the tests.
usage: attention_speed.py EQUIPOISE [--lengths 1024,4096] [--dtype float32] [--device cpu] [--threads 2] [--repeats 5]
needs torch (and for CUDA optionally flash-linear-attention)"""
import argparse
import json
import statistics
import subprocess
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--lengths", default="1024,4096")
parser.add_argument("--dtype", default="float32")
parser.add_argument("--device", default="cpu")
parser.add_argument("--heads", type=int, default=8)
parser.add_argument("--head-dim", type=int, default=64)
parser.add_argument("--window", type=int, default=64)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
parser.add_argument("--repeats", type=int, default=5)
a = parser.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
H, D, w = a.heads, a.head_dim, a.window

def feature_map(x, W):
    z = torch.einsum("bhtd,hdf->bhtf", x.float(), W)
    return torch.cat([z.softmax(-1), (-z).softmax(-1)], -1)

def quadratic(q, k, v, Wq, Wk):
    T = q.shape[2]
    age = torch.arange(T, device=q.device)[:, None] - torch.arange(T, device=q.device)
    near, far = (age >= 0) & (age < w), age >= w
    swa = ((q.float() @ k.float().mT) / D ** 0.5).masked_fill(~near, float("-inf")).softmax(-1) @ v.float()
    pairs = (feature_map(q, Wq) @ feature_map(k, Wk).mT).masked_fill(~far, 0)
    has = far.any(-1, keepdim=True)
    la = pairs @ v.float() / torch.where(has, pairs.sum(-1, keepdim=True), 1.0)
    return torch.where(has, 0.5 * swa + 0.5 * la, swa).to(q.dtype)

def softmax(q, k, v, Wq, Wk):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

def chunked_linear(q, k, v, Wq, Wk):
    from fla.ops.linear_attn import chunk_linear_attn
    turned = [x.transpose(1, 2).to(v.dtype) for x in (feature_map(q, Wq), feature_map(k, Wk), v)]
    return chunk_linear_attn(*turned, normalize=True)[0].transpose(1, 2)

def wait():
    if a.device != "cpu":
        torch.cuda.synchronize()

def measure(attend, tensors, dy, train):
    times = []
    for i in range(a.repeats + 1):
        start = time.perf_counter()
        with torch.set_grad_enabled(train):
            y = attend(*tensors)
            if train:
                torch.autograd.grad(y, tensors, dy, allow_unused=True)
        wait()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[1:])

contenders = {"sdpa": softmax, "quadratic": quadratic}
if a.device != "cpu":
    try:
        import fla  # noqa: F401
        contenders["fla chunk_linear_attn"] = chunked_linear
    except ImportError:
        print("flash-linear-attention is not installed: not compared")
print(f"torch {torch.__version__}, {a.threads} threads, {a.dtype}, {a.device}; milliseconds, median of {a.repeats}")
for T in map(int, a.lengths.split(",")):
    shape = dict(device=a.device, dtype=getattr(torch, a.dtype), requires_grad=True)
    q, k, v = (torch.randn(1, H, T, D, **shape) for _ in range(3))
    maps = [torch.eye(D, device=a.device).repeat(H, 1, 1).requires_grad_() for _ in range(2)]
    ours = json.loads(subprocess.run([a.program, "bench", "attention", "--lengths", str(T), "--dtype", a.dtype, "--device", a.device,
                                      "--heads", str(H), "--kv-heads", str(H), "--head-dim", str(D), "--columns", str(D), "--window", str(w),
                                      "--threads", str(a.threads), "--repeats", str(a.repeats), "--alone", "--json", "-"],
                                     check=True, capture_output=True, text=True).stdout)
    for train in (False, True):
        name = "forward+backward" if train else "forward"
        row = next(r for r in ours if r["what"] == "attention" and r["pass"] == name)
        line = f"T {T:6} {name:16} equipoise {row['ms']:9.2f}"
        for other, attend in contenders.items():
            if other == "quadratic" and 4 * 8 * H * T * T > 8e9:
                continue
            ms = measure(attend, [q, k, v, *maps], torch.ones_like(q), train)
            line += f"   {other} {ms:9.2f} ({ms / row['ms']:.2f} times)"
        print(line, flush=True)
