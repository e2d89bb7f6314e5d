"""An independent computation of what `diagnose` measures inside a model, in PyTorch and float64, every T × T matrix written out.
    make_diagnosis.py MODEL_FOLDER OUT.json
tests/golden/diagnosis_tiny.json is made from resources/tiny. For another model: EQUIPOISE_DIAGNOSIS=OUT.json tst_diagnose.
Made with torch 2.11, safetensors 0.5; no randomness."""
import json, math, pathlib, sys
import torch
from safetensors.torch import load_file

torch.set_default_dtype(torch.float64)
folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
config = json.load(open(folder / "config.json"))
W = {k: v.double() for k, v in load_file(folder / "model.safetensors").items()}
L, H, G, D = (config[k] for k in ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim"))
V, M = config["vocab_size"], config["hidden_size"]
T, WINDOW, G0 = 160, 24, 0.4
ids = torch.tensor([(i * i * 7 + i * 3 + 11) % V for i in range(T)])
t = torch.arange(T)
age = t[:, None] - t[None, :]


def rms(x, w):
    return w * x / torch.sqrt(x.square().mean(-1, keepdim=True) + config["rms_norm_eps"])


def rotate(x):
    f = config["rope_theta"] ** (-torch.arange(0, D, 2) / D)
    a = torch.cat([t[: x.shape[1], None] * f, t[: x.shape[1], None] * f], -1)
    half = D // 2
    return x * a.cos() + torch.cat([-x[..., half:], x[..., :half]], -1) * a.sin()


def map_of(layer, side, heads=H):
    h, d, f = torch.meshgrid(torch.arange(heads), torch.arange(D), torch.arange(D), indexing="ij")
    return (d == f).double() + 0.1 * torch.sin(1.0 + 7 * h + 3 * d + 5 * f + 11 * layer + 13 * side)


def features(x, w):
    y = x @ w
    return torch.cat([y.softmax(-1), (-y).softmax(-1)], -1)


def weights(q, k, layer, component, mixing, head_override=None):
    """[H,T,T] weights of a component; rows sum to what they sum to."""
    n = q.shape[1]
    a = age[:n, :n]
    scores = q @ k.transpose(1, 2) / math.sqrt(D)
    soft = lambda seen: torch.nan_to_num(scores.masked_fill(~seen, -math.inf).softmax(-1))
    ff = features(q, map_of(layer, 0)) @ features(k, map_of(layer, 1)).transpose(1, 2)
    def linear(least):
        x = ff.masked_fill(a < least, 0)
        total = x.sum(-1, keepdim=True)
        return torch.where(total > 0, x / total.clamp_min(1e-300), torch.zeros_like(x))
    if component == "teacher":
        return soft(a >= 0)
    if component == "swa":
        return soft((a >= 0) & (a < WINDOW))
    if component == "linear":
        return linear(0)
    if component == "linear-outside":
        return linear(WINDOW)
    seen = (a >= 0) & (a < WINDOW)
    if mixing == "shared-denominator" and component == "hybrid":
        s = torch.sigmoid(0.3 * torch.arange(H) - 0.4)[:, None, None]
        m = scores.masked_fill(~seen, -math.inf).amax(-1, keepdim=True)
        e = (scores - m).exp().masked_fill(~seen, 0) * s
        x = ff.masked_fill(a < WINDOW, 0)
        return (e + x) / (e + x).sum(-1, keepdim=True)
    g = {"fixed": torch.full((H, 1, 1), G0), "learned": torch.sigmoid(0.3 * torch.arange(H) - 0.4)[:, None, None]}.get(mixing)
    if component == "no-window":
        g = torch.zeros(H, 1, 1)
    has = (a >= WINDOW).any(-1)[None, :, None]
    g = torch.where(has, g.expand(H, n, 1), torch.ones(1))
    return g * soft(seen) + (1 - g) * linear(WINDOW)


def forward(tokens, component, mixing, look=None, cut=None):
    """cut: (layer, head or −1, branch); look(layer, q, k, v, weights)."""
    n = len(tokens)
    x = W["model.embed_tokens.weight"][tokens]
    for i in range(L):
        p = f"model.layers.{i}."
        y = rms(x, W[p + "input_layernorm.weight"])
        split = lambda name, heads: (y @ W[p + f"self_attn.{name}_proj.weight"].T).view(n, heads, D).transpose(0, 1)
        q, k, v = rotate(split("q", H)), rotate(split("k", G)), split("v", G)
        k, v = k.repeat_interleave(H // G, 0), v.repeat_interleave(H // G, 0)
        w = weights(q, k, i, component, mixing)
        if cut and cut[0] == i:
            other = weights(q, k, i, "swa" if cut[2] == "linear" else "no-window", mixing)
            w = other if cut[1] < 0 else torch.where((torch.arange(H) == cut[1])[:, None, None], other, w)
        if look:
            look(i, q, k, v, w)
        x = x + (w @ v).transpose(0, 1).reshape(n, H * D) @ W[p + "self_attn.o_proj.weight"].T
        y = rms(x, W[p + "post_attention_layernorm.weight"])
        gate, up = y @ W[p + "mlp.gate_proj.weight"].T, y @ W[p + "mlp.up_proj.weight"].T
        x = x + (torch.nn.functional.silu(gate) * up) @ W[p + "mlp.down_proj.weight"].T
    return (rms(x, W["model.norm.weight"]) @ W["model.embed_tokens.weight"].T).log_softmax(-1)


def loss(mixing, cut=None):
    """Mean over eight cases of the loss of three scored tokens."""
    logs = forward(ids, "hybrid", mixing, cut=cut)
    losses = []
    for i in range(8):
        n = 20 * (i + 1)
        losses.append(-sum(logs[p - 1, ids[p]].item() for p in range(n - 3, n)) / 3)
    return sum(losses) / len(losses)


def inside(mixing):
    teacher, rows, health = {}, [], []
    forward(ids, "teacher", mixing, lambda i, q, k, v, w: teacher.__setitem__(i, (w, w @ v)))
    def look(i, q, k, v, w):
        tw, ty = teacher[i]
        swa, lin = weights(q, k, i, "swa", mixing) @ v, weights(q, k, i, "linear-outside", mixing) @ v
        a = age[:T, :T]
        # The two parts of the hybrid: its weights inside and outside the window.
        near, far = w.masked_fill(a >= WINDOW, 0) @ v, w.masked_fill(a < WINDOW, 0) @ v
        cos = lambda x, s: torch.nn.functional.cosine_similarity(x[:, s:], ty[:, s:], -1).mean(1)
        norm = lambda x, s: x[:, s:].square().sum((1, 2)).sqrt()
        share = lambda s: norm(far, s) / (norm(near, s) + norm(far, s))
        mass = lambda m: m.masked_fill(a < WINDOW, 0).sum(-1)[:, WINDOW:].mean(1)
        columns = (share(0), share(WINDOW), mass(w), mass(tw), cos(swa, 0), cos(lin, WINDOW), cos(w @ v, 0))
        rows.extend([i, h, *(c[h].item() for c in columns)] for h in range(H))
        fq, fk = features(q, map_of(i, 0)), features(k, map_of(i, 1))
        den = (fq @ fk.transpose(1, 2)).masked_fill(a < WINDOW, 0).sum(-1)[:, WINDOW:]
        sigma = torch.linalg.svdvals(fk[0])
        p = sigma / sigma.sum()
        health.append([i, den.min().item(), math.exp(-torch.special.xlogy(p, p).sum().item()),
                       (fk[0].amax(0) < 1e-3 * fk[0].mean()).double().mean().item(), (fk[0].amax(1) > 0.99).double().mean().item(),
                       torch.linalg.cond(map_of(i, 1)[0]).item()])
    forward(ids, "hybrid", mixing, look)
    return rows, health


def maps(mixing, layer, head, first, last, cells):
    kept = {}
    forward(ids, "teacher", mixing, lambda i, q, k, v, w: kept.__setitem__(("teacher", i), w))
    def look(i, q, k, v, w):
        kept[("hybrid", i)], kept[("linear", i)] = w, weights(q, k, i, "linear", mixing)
    forward(ids, "hybrid", mixing, look)
    views = []
    a = kept[("teacher", layer)][head]
    for name in ("teacher", "linear", "hybrid"):
        w = kept[(name, layer)][head]
        entropy = -(w * w.clamp_min(1e-12).log()).sum(1)
        kl = (torch.special.xlogy(a, a) - a * w.clamp_min(1e-12).log()).sum(1).clamp_min(0)
        cell = (torch.arange(last - first) * cells) // (last - first)
        rows = torch.zeros(cells, last - first).index_add_(0, cell, w[first:last, first:last])
        grid = torch.zeros(cells, cells).index_add_(1, cell, rows) / torch.bincount(cell, minlength=cells)[:, None]
        views.append({"name": name, "mean_entropy": entropy.mean().item(), "entropy_last": entropy[-1].item(),
                      "mean_divergence": 0 if name == "teacher" else kl.mean().item(), "cells": [round(c, 10) for c in grid.flatten().tolist()]})
    return views


result = {"model": "" if folder.name == "tiny" else str(folder), "tokens": T, "window": WINDOW, "weight": G0, "mixings": {}}
for mixing in ("fixed", "learned", "shared-denominator"):
    rows, health = inside(mixing)
    whole = loss(mixing)
    cuts = [(i, h) for i in range(L) for h in [-1, *range(H)]]
    knock = [[i, h, b, loss(mixing, (i, h, b)) - whole] for i, h in cuts for b in ("linear", "window")]
    result["mixings"][mixing] = {"inside": rows, "health": health, "loss": whole, "knockouts": knock, "map": maps(mixing, L - 1, 1, 16, 144, 8)}
out.write_text(json.dumps(result))
