"""equipoise bench attention against PyTorch of the same machine, side by side: softmax (its scaled_dot_product_attention),
the hybrid with T × T matrices, the hybrid by chunks and, on a GPU where it is installed, flash-linear-attention's chunked
kernel. Rounds take turns: ours once (in its own process), then each of PyTorch's once, --rounds times; medians and the
lowest and highest round. Every PyTorch form is first checked against the one with T × T matrices. Never a part of the tests.
usage: attention_speed.py EQUIPOISE [--lengths 1024,4096,8192] [--dtype float32] [--device cpu] [--threads 2] [--rounds 7]
needs torch (and for CUDA optionally flash-linear-attention)"""
import argparse
import json
import statistics
import subprocess
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--lengths", default="1024,4096,8192")
parser.add_argument("--dtype", default="float32")
parser.add_argument("--device", default="cpu")
parser.add_argument("--heads", type=int, default=8)
parser.add_argument("--head-dim", type=int, default=64)
parser.add_argument("--window", type=int, default=64)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
parser.add_argument("--rounds", type=int, default=7)
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

def chunked(q, k, v, Wq, Wk):
    """Window blocks of w, the pairs of a block and the one before at least w apart, and states carried over the rest."""
    B, _, T, _ = q.shape
    pad, n = -T % w, -(-T // w)
    cut = lambda x: torch.nn.functional.pad(x, (0, 0, 0, pad)).reshape(B, H, n, w, x.shape[-1])
    both = lambda x: torch.cat([torch.nn.functional.pad(x, (0, 0, 0, 0, 1, 0))[:, :, :-1], x], 3)  # the block before, and the block
    age = torch.arange(w, device=q.device)[:, None] + w - torch.arange(2 * w, device=q.device)
    exists = (torch.arange(n, device=q.device) > 0)[:, None, None] | (torch.arange(2 * w, device=q.device) >= w)
    qc, kc, vc = cut(q.float()), cut(k.float()), cut(v.float())
    scores = qc @ both(kc).mT / D ** 0.5
    swa = scores.masked_fill(~((age >= 0) & (age < w) & exists), float("-inf")).softmax(-1) @ both(vc)
    fq, fk = cut(feature_map(q, Wq)), cut(feature_map(k, Wk))
    v1 = torch.cat([vc, torch.ones_like(vc[..., :1])], -1)  # the column of ones sums the weights
    sums = (fq @ both(fk).mT).masked_fill(~((age >= w) & exists), 0) @ both(v1)
    if n > 2:
        states = (fk.mT @ v1).cumsum(2)
        sums = sums + torch.nn.functional.pad(fq[:, :, 2:] @ states[:, :, :-2], (0, 0, 0, 0, 2, 0))
    join = lambda x: x.reshape(B, H, n * w, x.shape[-1])[:, :, :T]
    swa, sums = join(swa), join(sums)
    has = (torch.arange(T, device=q.device) >= w)[:, None]
    la = sums[..., :-1] / torch.where(has, sums[..., -1:], 1.0)
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

def once(attend, tensors, dy, train):
    """Milliseconds of the second of two calls: the first pays for memory."""
    for _ in range(2):
        start = time.perf_counter()
        with torch.set_grad_enabled(train):
            y = attend(*tensors)
            if train:
                torch.autograd.grad(y, tensors, dy, allow_unused=True)
        wait()
    return 1e3 * (time.perf_counter() - start)

def ours(T):
    """{pass: ms} of one process; its calls take turns with a matrix product alone."""
    done = subprocess.run([a.program, "bench", "attention", "--lengths", str(T), "--dtype", a.dtype, "--device", a.device,
                           "--heads", str(H), "--kv-heads", str(H), "--head-dim", str(D), "--columns", str(D), "--window", str(w),
                           "--threads", str(a.threads), "--repeats", "1", "--alone", "--json", "-"],
                          check=True, capture_output=True, text=True).stdout
    return {row["pass"]: row["ms"] for row in json.loads(done) if row["what"] == "attention"}

def tensors_of(T):
    shape = dict(device=a.device, dtype=getattr(torch, a.dtype), requires_grad=True)
    q, k, v = (torch.randn(1, H, T, D, **shape) for _ in range(3))
    return [q, k, v, *(torch.eye(D, device=a.device).repeat(H, 1, 1).requires_grad_() for _ in range(2))]

def fits(name, T):
    return name != "quadratic" or 4 * 8 * H * T * T <= 8e9

contenders = {"sdpa": softmax, "quadratic": quadratic, "chunked": chunked}
if a.device != "cpu":
    try:
        import fla  # noqa: F401
        contenders["fla chunk_linear_attn"] = chunked_linear
    except ImportError:
        print("flash-linear-attention is not installed: not compared")
for T in (1, w, w + 1, 3 * w + 5):
    sample = tensors_of(T)
    gap = (chunked(*sample).float() - quadratic(*sample).float()).abs().max().item()
    assert gap < (1e-5 if a.dtype == "float32" else 0.05), f"the chunked form is off by {gap} at T {T}"
print(f"torch {torch.__version__}, {a.threads} threads, {a.dtype}, {a.device}, H {H}, D {D}, F {D}, w {w}; "
      f"milliseconds, median of {a.rounds} rounds (lowest to highest)")
for T in map(int, a.lengths.split(",")):
    tensors = tensors_of(T)
    dy = torch.ones_like(tensors[0])
    times = {}
    for _ in range(a.rounds):
        for name, ms in ours(T).items():
            times.setdefault((name, "equipoise"), []).append(ms)
        for train in (False, True):
            for other, attend in contenders.items():
                if fits(other, T):
                    times.setdefault(("forward+backward" if train else "forward", other), []).append(once(attend, tensors, dy, train))
    for name in ("forward", "forward+backward"):
        mine = statistics.median(times[name, "equipoise"])
        line = f"T {T:6} {name:16}"
        for (which, other), ms in times.items():
            if which == name:
                line += f"   {other} {statistics.median(ms):.1f} ({min(ms):.1f} to {max(ms):.1f})"
                line += "" if other == "equipoise" else f" = {statistics.median(ms) / mine:.2f} times"
        print(line, flush=True)
