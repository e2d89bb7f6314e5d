"""Every method's loss and one optimiser step, written down plainly in PyTorch, apart from the engine.

Makes tests/golden/methods/: a random Llama (model/), and for each case <name>.safetensors with the batch, the tensors at
their start and behind one AdamW step, and the loss (metadata: the recipe as JSON, which is YAML). Everything is computed in
float64; tensors are stored in float32, the loss in float64. Seed 20251005; made with torch 2.11.0, safetensors 0.6, numpy 2.
    python tests/golden/make_methods.py
"""
import json
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "methods")
L, M, H, G, D, MLP, V, B, T, W = 2, 16, 4, 2, 8, 24, 40, 3, 25, 6
LENGTHS = [25, 25, 18]
gen = torch.Generator().manual_seed(20251005)


def rand(*shape, scale=1.0):
    return (torch.randn(*shape, generator=gen) * scale).float().double()


def make_model():
    w = {"model.embed_tokens.weight": rand(V, M), "model.norm.weight": 1 + rand(M, scale=0.1), "lm_head.weight": rand(V, M, scale=0.3)}
    for i in range(L):
        p = f"model.layers.{i}."
        w[p + "input_layernorm.weight"] = 1 + rand(M, scale=0.1)
        w[p + "post_attention_layernorm.weight"] = 1 + rand(M, scale=0.1)
        for name, out, inp in (("self_attn.q_proj", H * D, M), ("self_attn.k_proj", G * D, M), ("self_attn.v_proj", G * D, M),
                               ("self_attn.o_proj", M, H * D), ("mlp.gate_proj", MLP, M), ("mlp.up_proj", MLP, M), ("mlp.down_proj", M, MLP)):
            w[p + name + ".weight"] = rand(out, inp, scale=1.3 / math.sqrt(inp))
    return {k: v.float().double() for k, v in w.items()}


def rope(x, offset=0):  # [...,T,D], pairs (i, i + D/2)
    half = D // 2
    freq = 10000.0 ** (-torch.arange(half) / half)
    angle = ((torch.arange(x.shape[-2]) + offset)[:, None].float() * freq.float()[None, :]).double()
    # The engine's angles are float32, as transformers' are.
    cos, sin = angle.float().cos().double(), angle.float().sin().double()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def sigma(kind, y):
    return {"softmax": lambda: y.softmax(-1), "exp": lambda: y.exp(), "relu": lambda: y.relu(), "elu1": lambda: F.elu(y) + 1,
            "none": lambda: y}[kind]()


def phi(x, which, params, layer, c):
    """x [B,N,T,D] → [B,H,T,P]."""
    m = c["map"]
    tied = m.get("tied", False)
    prefix = f"maps.{layer}." + ("" if tied else which + ".")
    y = x
    if m.get("learned", True):
        w = params[prefix + "weight"]
        if m.get("sharing", "head") == "model":
            n = x.shape[1]
            y = x.transpose(1, 2).reshape(x.shape[0], x.shape[2], n * D) @ w[0]
            if prefix + "bias" in params:
                y = y + params[prefix + "bias"][0]
            y = y.reshape(x.shape[0], x.shape[2], n, -1).transpose(1, 2)
        else:
            y = x.repeat_interleave(H // x.shape[1], 1) @ w
            if prefix + "bias" in params:
                y = y + params[prefix + "bias"][:, None, :]
    y = y.repeat_interleave(H // y.shape[1], 1) / m.get("temperature", 1)
    kind = m["activation"]
    if not m["negation"]:
        return sigma(kind, y)
    if m.get("softmax_over") == "both":
        return torch.cat([y, -y], -1).softmax(-1)
    if m.get("exp_shift") == "row":
        return torch.cat([(y - y.amax(-1, keepdim=True)).exp(), (-y + y.amin(-1, keepdim=True)).exp()], -1)
    return torch.cat([sigma(kind, y), sigma(kind, -y)], -1)


def windows(c, layer):
    """[T,T] bool: which keys the window branch sees."""
    w = c.get("layer_windows", [c.get("window", W)] * L)[layer]
    t, i = torch.arange(T)[:, None], torch.arange(T)[None, :]
    layout = c.get("layout", "sliding")
    if layout == "sliding":
        return (i <= t) & (t - i < w)
    shift = 0 if layout == "terraced" else (-T) % w
    block = (torch.arange(T) + shift) // w
    return (i <= t) & (block[None, :] >= block[:, None] - 1)


def branches(x, raw_q, raw_k, q, k, v, params, layer, c, past_only=False):
    """SWA sums, LA sums; everything by explicit T × T matrices."""
    kk, vv = k.repeat_interleave(H // G, 1), v.repeat_interleave(H // G, 1)
    causal = torch.ones(T, T).tril().bool()
    near = windows(c, layer)
    far = causal & ~near
    if c.get("overlap") or past_only:
        far = causal
    score = q @ kk.transpose(-1, -2) / math.sqrt(D)
    position = c["map"].get("rope", "before")
    if position == "before":
        fq, fk = phi(q, "q", params, layer, c), phi(k, "k", params, layer, c)
    else:
        fq, fk = phi(raw_q, "q", params, layer, c), phi(raw_k, "k", params, layer, c)
        if position == "after":
            fq, fk = rope(fq), rope(fk)
    if c["mixing"] == "gla":
        logs = (F.logsigmoid(raw_k) / c.get("gate_divisor", 16)).repeat_interleave(H // G, 1).cumsum(2)
        fade = (logs[:, :, :, None, :] - logs[:, :, None, :, :]).masked_fill(~causal[None, None, :, :, None], -math.inf).exp()
        a = (fq[:, :, :, None, :] * fk[:, :, None, :, :] * fade).sum(-1)
    else:
        a = fq @ fk.transpose(-1, -2)
    if c.get("decay") == "slopes":
        age = (torch.arange(T)[:, None] - torch.arange(T)[None, :]).clamp(min=0)
        slope = 2.0 ** (-8.0 * torch.arange(1, H + 1) / H)
        a = a * (-slope[:, None, None] * age).exp()
    a = a.masked_fill(~far, 0)
    return score, near, a, far, vv


def linear_out(a, far, vv, c):
    total = a.sum(-1, keepdim=True) + c.get("epsilon", 0)
    has = far.any(-1)[None, None, :, None]
    y = a @ vv
    kind = c.get("normaliser", "sum")
    if kind == "sum":
        total = torch.where(total.abs() < 1e-20, torch.full_like(total, 1e-20), total)
        y = y / torch.where(has, total, torch.ones_like(total))
    elif kind == "group-norm":
        y = F.layer_norm(y / math.sqrt(D), (D,), eps=1e-5)
    return torch.where(has, y, torch.zeros_like(y)), has


def attention(component, x, raw_q, raw_k, q, k, v, params, layer, c, dropped=None):
    if component == "teacher":
        kk, vv = k.repeat_interleave(H // G, 1), v.repeat_interleave(H // G, 1)
        causal = torch.ones(T, T).tril().bool()
        return (q @ kk.transpose(-1, -2) / math.sqrt(D)).masked_fill(~causal, -math.inf).softmax(-1) @ vv
    score, near, a, far, vv = branches(x, raw_q, raw_k, q, k, v, params, layer, c, past_only=component == "linear")
    la, has = linear_out(a, far, vv, c)
    if component == "linear":
        return la
    swa = score.masked_fill(~near, -math.inf).softmax(-1) @ vv
    kind = c["mixing"]
    if kind == "shared-denominator":
        s = torch.sigmoid(params[f"mixing.{layer}"])[None, :, None, None]
        top = score.masked_fill(~near, -math.inf).amax(-1, keepdim=True)
        e = (score - top).exp().masked_fill(~near, 0)
        r = 1 - s if c.get("affine") else 1
        y = (s * (e @ vv) + r * (a @ vv)) / (s * e.sum(-1, keepdim=True) + r * a.sum(-1, keepdim=True) + c.get("epsilon", 0))
    else:
        if kind == "learned":
            g = torch.sigmoid(params[f"mixing.{layer}"])[None, :, None, None]
        elif kind == "gated":
            g = torch.sigmoid(x @ params[f"mixing.{layer}.gate"].T + params[f"mixing.{layer}"]).transpose(1, 2)[..., None]
        else:
            g = torch.tensor(c.get("weight", 0.5))
        g = g.expand(x.shape[0], H, T, 1)
        if c.get("empty_rows") != "mixing":
            g = torch.where(has, g, torch.ones_like(g))
        y = g * swa + (1 - g) * la
    if dropped is not None:
        score, near, a, far, vv = branches(x, raw_q, raw_k, q, k, v, params, layer, c, past_only=c.get("when_dropped", "all") == "all")
        alone, _ = linear_out(a, far, vv, c)
        y = torch.where(dropped[:, :, None, None], alone, y)
    return y


def forward(weights, params, ids, component, c, dropped=None, on_layer=None):
    """Logits [B,T,V]; on_layer(layer, x, heads) replaces the run through the layer's own attention by the teacher's."""
    lora = component != "teacher" and on_layer is None
    norm = lambda x, w: w * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5))
    def project(name, x, i, key):
        y = x @ weights[f"model.layers.{i}.{name}.weight"].T
        if lora and f"lora.{i}.{key}.a" in params:
            y = y + x @ params[f"lora.{i}.{key}.a"].T @ params[f"lora.{i}.{key}.b"].T * c["lora_scale"]
        return y
    x = weights["model.embed_tokens.weight"][ids]
    for i in range(L):
        p = f"model.layers.{i}."
        n = norm(x, weights[p + "input_layernorm.weight"])
        split = lambda y, h: y.reshape(y.shape[0], T, h, D).transpose(1, 2)
        raw_q, raw_k = split(project("self_attn.q_proj", n, i, "q"), H), split(project("self_attn.k_proj", n, i, "k"), G)
        v = split(project("self_attn.v_proj", n, i, "v"), G)
        q, k = rope(raw_q), rope(raw_k)
        if on_layer is not None:
            on_layer(i, n, (raw_q, raw_k, q, k, v))
        kept = i in c.get("softmax_layers", [])
        layer_component = "teacher" if on_layer is not None or kept else component
        y = attention(layer_component, n, raw_q, raw_k, q, k, v, params, i, c, None if dropped is None else dropped[i])
        if i in c.get("skipped_layers", []) and component != "teacher" and on_layer is None:
            y = torch.zeros_like(y)
        x = x + project("self_attn.o_proj", y.transpose(1, 2).reshape(y.shape[0], T, H * D), i, "o")
        m = norm(x, weights[p + "post_attention_layernorm.weight"])
        x = x + project("mlp.down_proj", F.silu(project("mlp.gate_proj", m, i, "gate")) * project("mlp.up_proj", m, i, "up"), i, "down")
    return norm(x, weights["model.norm.weight"]) @ weights["lm_head.weight"].T


# The engine's counter-based draws (engine/random.h), needed for SSD's masks.
MASK = (1 << 64) - 1


def mix64(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def uniform(seed, stream, salt, index):
    key = mix64(mix64(mix64(seed) ^ stream) ^ salt)
    return (mix64(key ^ mix64(index)) >> 11) * 2.0 ** -53


def drop_mask(kind, p, seed, step, micro=0):
    mask = torch.zeros(L, B, H, dtype=torch.bool)
    for l in range(L):
        for b in range(B):
            for h in range(H):
                draw = {"sequence": micro * B + b, "step": 0, "layer": l, "head": l * H + h}[kind]
                mask[l, b, h] = uniform(seed, 4, step, draw) < p
    return mask


def transfer_loss(weights, params, ids, valid, c, objective, scale, weights_scale):
    total = []
    def cross_entropy(i, heads):
        raw_q, raw_k, q, k, v = heads
        kk = k.repeat_interleave(H // G, 1)
        causal = torch.ones(T, T).tril().bool()
        target = (q @ kk.transpose(-1, -2) / math.sqrt(D)).masked_fill(~causal, -math.inf).softmax(-1)
        _, _, a, _, _ = branches(None, raw_q, raw_k, q, k, v, params, i, dict(c, mixing="fixed"), past_only=True)
        a = a / a.sum(-1, keepdim=True)
        rows = -(target * a.clamp(min=1e-12).log()).sum(-1)
        return (rows * valid[:, None, :]).sum() / (valid.sum() * H)
    def on_layer(i, n, heads):
        if i in c.get("softmax_layers", []):
            return
        raw_q, raw_k, q, k, v = heads
        if objective == "attention-weights":
            total.append(cross_entropy(i, heads))
            return
        teacher = attention("teacher", n, *heads, params, i, c)
        student = attention("hybrid" if objective == "hybrid-outputs" else "linear", n, *heads, params, i, c)
        error = (student - teacher).square().mean(-1)
        loss = scale * (error * valid[:, None, :]).sum() / (valid.sum() * H)
        total.append(loss + weights_scale * cross_entropy(i, heads) if weights_scale else loss)
    forward(weights, params, ids, "teacher", c, on_layer=on_layer)
    return torch.stack(total).mean()


def language_loss(weights, params, ids, valid, c, component, dropped):
    logits = forward(weights, params, ids, component, c, dropped)
    nll = F.cross_entropy(logits[:, :-1].reshape(-1, V), ids[:, 1:].reshape(-1), reduction="none").reshape(B, T - 1)
    return (nll * valid[:, 1:]).sum() / valid[:, 1:].sum()


def start_params(c, lora_targets, lora_layers):
    params = {}
    m = c["map"]
    columns = m.get("columns_of_w", D)
    for i in range(L):
        if i in c.get("softmax_layers", []) or i in c.get("skipped_layers", []):
            continue
        if m.get("learned", True):
            for which, heads in ((("", H),) if m.get("tied") else (("q.", H), ("k.", H))):
                sharing = m.get("sharing", "head")
                n = (G if which == "k." else H) if sharing == "model" else 1
                copies = H if sharing == "head" else 1
                params[f"maps.{i}.{which}weight"] = torch.eye(n * D, n * columns).expand(copies, -1, -1) + rand(copies, n * D, n * columns, scale=0.2)
                if m.get("bias"):
                    width = 1 if m.get("bias_size") == "head" else n * columns
                    params[f"maps.{i}.{which}bias"] = rand(copies, width, scale=0.3)
        if c["mixing"] in ("learned", "gated", "shared-denominator"):
            params[f"mixing.{i}"] = rand(H, scale=0.5) - (1.0 if c["mixing"] == "shared-denominator" else 0)
        if c["mixing"] == "gated":
            params[f"mixing.{i}.gate"] = rand(H, M, scale=0.2)
    sizes = {"q": (M, H * D), "k": (M, G * D), "v": (M, G * D), "o": (H * D, M), "gate": (M, MLP), "up": (M, MLP), "down": (MLP, M)}
    for i in range(L):
        for target in lora_targets:
            if lora_layers and i not in lora_layers:
                continue
            inp, out = sizes[target]
            params[f"lora.{i}.{target}.a"] = rand(c["rank"], inp, scale=0.3)
            params[f"lora.{i}.{target}.b"] = rand(out, c["rank"], scale=0.3)
    return {k: v.float().double().contiguous() for k, v in params.items()}


def recipe_of(c, stage, seed):
    m = c["map"]
    feature_map = {k: m[k] for k in ("activation", "negation", "bias", "bias_size", "tied", "learned", "sharing", "temperature", "softmax_over", "exp_shift", "rope") if k in m}
    if "columns_of_w" in m:
        feature_map["size"] = str(m["columns_of_w"])
    mixing = {"kind": c["mixing"]}
    if "weight" in c:
        mixing["weight"] = c["weight"]
    if c.get("affine"):
        mixing["affine"] = True
    attention = {"feature_map": feature_map, "window": c.get("window", W), "mixing": mixing}
    linear = {k: c[k] for k in ("normaliser", "decay", "epsilon", "gate_divisor", "empty_rows") if k in c}
    if linear:
        attention["linear"] = linear
    if c.get("overlap"):
        attention["linear_context"] = "overlap"
    if "layout" in c:
        attention["window_layout"] = c["layout"]
    for key in ("softmax_layers", "skipped_layers", "layer_windows"):
        if key in c:
            attention[key] = c[key]
    return {"attention": attention, "stages": [stage], "seed": seed}


def case(name, c, stage, seed=5):
    weights = {k: v.clone() for k, v in MODEL.items()}
    lora = stage["kind"] == "finetune" and stage.get("trainable", "lora") == "lora"
    spec = stage.get("lora", {})
    c = dict(c, rank=spec.get("rank", 8), lora_scale=spec.get("alpha", 16) / spec.get("rank", 8))
    params = start_params(c, spec.get("targets", ["q", "k", "v", "o"]) if lora else [], spec.get("layers", []))
    start = {k: v.clone() for k, v in params.items()}
    trained = dict(params)
    if stage["kind"] == "finetune":
        if not stage.get("train_feature_maps"):
            trained = {k: v for k, v in trained.items() if k.startswith("lora.")}
        elif stage.get("component", "hybrid") == "linear":
            trained = {k: v for k, v in trained.items() if not k.startswith("mixing.")}
        if stage.get("trainable") == "full":
            trained |= weights
    elif stage.get("objective", "attention-weights") != "hybrid-outputs":
        trained = {k: v for k, v in trained.items() if not k.startswith("mixing.")}
    for v in trained.values():
        v.requires_grad_(True)
    valid = torch.zeros(B, T)
    for b, n in enumerate(LENGTHS):
        valid[b, :n] = 1
    rate = stage["learning_rate"]
    optimiser = torch.optim.AdamW(trained.values(), lr=rate, weight_decay=stage.get("weight_decay", 0))
    if stage["kind"] == "transfer":
        loss = transfer_loss(weights, params, IDS, valid, c, stage.get("objective", "attention-weights"), stage.get("output_loss_scale", 1000),
                             stage.get("weights_loss_scale", 0))
    else:
        schedule = stage.get("schedule", {})
        dropped = None
        if schedule.get("dropout"):
            dropped = drop_mask(schedule.get("drop", "sequence"), schedule["dropout"][0], seed, 0)
        loss = language_loss(weights, params, IDS, valid, dict(c, window=schedule.get("window", [c.get("window", W)])[0], when_dropped=schedule.get("linear_when_dropped", "all")),
                             stage.get("component", "hybrid"), dropped)
    loss.backward()
    tensors = {"ids": IDS, "valid": valid, "loss": loss.detach().reshape(1)}
    tensors |= {"start." + k: v for k, v in start.items()}
    tensors |= {"grad." + k: v.grad for k, v in trained.items() if v.grad is not None}
    optimiser.step()
    tensors |= {"end." + k: v.detach() for k, v in trained.items()}
    wide = ("loss", "ids")
    tensors = {k: v.detach().contiguous().clone() if k in wide else v.detach().float().contiguous() for k, v in tensors.items()}
    save_file(tensors, os.path.join(OUT, name + ".safetensors"), metadata={"recipe": json.dumps(recipe_of(c, stage, seed))})
    print(f"{name}: loss {loss.item():.9g}")


MODEL = make_model()
IDS = torch.randint(0, V, (B, T), generator=gen)
SOFTMAX = {"activation": "softmax", "negation": True}
HALF = dict(SOFTMAX, columns_of_w=4)
EXP = {"activation": "exp", "negation": True}
RELU = {"activation": "relu", "negation": False, "bias": True}


def transfer(objective="attention-weights", **extra):
    return {"kind": "transfer", "objective": objective, "learning_rate": 1e-2, **extra}


def finetune(component="hybrid", trainable="lora", **extra):
    return {"kind": "finetune", "component": component, "trainable": trainable, "learning_rate": 1e-3, **extra}


def main():
    os.makedirs(os.path.join(OUT, "model"), exist_ok=True)
    save_file({k: v.float().contiguous() for k, v in MODEL.items()}, os.path.join(OUT, "model", "model.safetensors"), metadata={"format": "pt"})
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": M, "intermediate_size": MLP, "num_hidden_layers": L,
              "num_attention_heads": H, "num_key_value_heads": G, "head_dim": D, "vocab_size": V, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "max_position_embeddings": 64, "hidden_act": "silu", "tie_word_embeddings": False}
    json.dump(config, open(os.path.join(OUT, "model", "config.json"), "w"), indent=1)
    words = {"<unk>": 0} | {f"w{i}": i for i in range(1, V)}
    json.dump({"version": "1.0", "model": {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"}, "pre_tokenizer": {"type": "WhitespaceSplit"},
               "added_tokens": [], "normalizer": None, "post_processor": None, "decoder": None}, open(os.path.join(OUT, "model", "tokenizer.json"), "w"), indent=0)
    plain = {"map": SOFTMAX, "mixing": "fixed"}
    case("hedgehog-transfer", {"map": EXP, "mixing": "fixed"}, transfer())
    case("hedgehog-softmax-transfer", plain, transfer())
    case("hedgehog-lora", {"map": EXP, "mixing": "fixed"}, finetune("linear", train_feature_maps=True))
    case("hedgehog-full", plain, finetune("linear", "full", train_feature_maps=True, weight_decay=0.1))
    case("hedgehog-fla-lora", {"map": dict(SOFTMAX, bias=True, sharing="layer", temperature=0.5, softmax_over="both"), "mixing": "fixed"},
         finetune("linear", train_feature_maps=True))
    case("exp-dim-transfer", {"map": dict(EXP, exp_shift="row"), "mixing": "fixed"}, transfer())
    case("attention-outputs-transfer", plain, transfer("attention-outputs"))
    case("lolcats-transfer", {"map": HALF, "mixing": "fixed"}, transfer("hybrid-outputs"))
    case("lolcats-shared-transfer", {"map": HALF, "mixing": "shared-denominator"}, transfer("hybrid-outputs"))
    case("lolcats-published-transfer", {"map": HALF, "mixing": "shared-denominator", "layout": "terraced-as-published"}, transfer("hybrid-outputs", weights_loss_scale=1))
    case("lolcats-published-lora", {"map": HALF, "mixing": "shared-denominator", "layout": "terraced-as-published"}, finetune())
    case("terraced-lora", {"map": HALF, "mixing": "learned", "layout": "terraced"}, finetune(train_feature_maps=True))
    case("lolcats-liger-lora", {"map": SOFTMAX, "mixing": "shared-denominator", "affine": True, "epsilon": 1e-3}, finetune(train_feature_maps=True))
    case("t2r-full", {"map": RELU, "mixing": "fixed"}, finetune("linear", "full", train_feature_maps=True))
    case("t2r-scalar-bias", {"map": dict(RELU, bias_size="head"), "mixing": "fixed"}, finetune("linear", "full", train_feature_maps=True))
    case("supra-full", {"map": dict(RELU, sharing="model", rope="after"), "mixing": "fixed", "normaliser": "group-norm", "decay": "slopes"},
         finetune("linear", "full", train_feature_maps=True))
    case("supra-hybrid", {"map": dict(RELU, sharing="model", rope="after"), "mixing": "fixed", "normaliser": "group-norm", "decay": "slopes"},
         finetune("hybrid", train_feature_maps=True))
    case("liger-lora", {"map": {"activation": "softmax", "negation": False, "learned": False, "rope": "none"}, "mixing": "gla", "normaliser": "none", "overlap": True},
         finetune(lora={"targets": ["q", "k", "v"], "alpha": 8}))
    case("liger-outside", {"map": {"activation": "softmax", "negation": False, "learned": False, "rope": "none"}, "mixing": "gla", "normaliser": "none", "gate_divisor": 2},
         finetune(lora={"targets": ["q", "k", "v"]}))
    case("hedgecats-lora", plain, finetune())
    case("gated-transfer", {"map": SOFTMAX, "mixing": "gated"}, transfer("hybrid-outputs"))
    case("gated-lora", {"map": SOFTMAX, "mixing": "gated"}, finetune(train_feature_maps=True))
    case("empty-rows-lora", {"map": SOFTMAX, "mixing": "fixed", "weight": 0.3, "empty_rows": "mixing"}, finetune(train_feature_maps=True))
    case("layers-lora", {"map": SOFTMAX, "mixing": "learned", "softmax_layers": [0], "layer_windows": [9, 4]}, finetune(train_feature_maps=True, lora={"layers": [1], "rank": 4, "targets": ["q", "down"]}))
    for drop in ("sequence", "step", "layer", "head"):
        schedule = {"dropout": [0.5], "window": [3], "drop": drop, "linear_when_dropped": "outside" if drop == "layer" else "all"}
        case("ssd-" + drop, plain, finetune(train_feature_maps=True, schedule=schedule), seed=3)


if __name__ == "__main__":
    main()
