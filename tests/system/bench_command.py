"""equipoise bench: the shape of its results, what must hold of them on any machine, and wrong use. Times are not judged.
usage: bench_command.py EQUIPOISE"""
import json
import subprocess
import sys
import tempfile

program = sys.argv[1]

def bench(*args, code=0):
    done = subprocess.run([program, "bench", *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{args}: exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done

def rows(*args):
    found = json.loads(bench(*args, "--json", "-").stdout)
    for row in found:
        assert {"what", "shape", "dtype", "threads", "repeats", "pass", "ms", "against", "machine"} <= set(row), row
        assert row["ms"] > 0 and all(ms > 0 for ms in row["against"].values()), row
    return found

small = ["--heads", "4", "--kv-heads", "2", "--head-dim", "16", "--window", "20", "--repeats", "1", "--threads", "1"]
for dtype in ("float32", "bfloat16"):
    found = rows("attention", *small, "--columns", "16", "--lengths", "64,100", "--dtype", dtype)
    assert [r["what"] for r in found] == ["matmul", "bandwidth"] + ["attention"] * 4
    assert found[0]["gflops"] > 0 and found[1]["gb_per_s"] > 0
    for row, (length, what) in zip(found[2:], [(t, p) for t in (64, 100) for p in ("forward", "forward+backward")]):
        assert row["shape"] == {"B": 1, "H": 4, "G": 2, "T": length, "D": 16, "F": 16, "w": 20} and row["pass"] == what
        assert row["dtype"] == dtype and row["threads"] == 1 and set(row["against"]) == {"sdpa", "quadratic", "composed"}
        # 4DF + 4D(w + 64) + 128(2F + D) + 8DF operations a token and head, backward twice as many again
        operations = (4 * 16 * 16 + 4 * 16 * 84 + 128 * 48 + 8 * 16 * 16) * 4 * length * (1 if what == "forward" else 3)
        assert abs(row["gflops"] * row["ms"] * 1e6 / operations - 1) < 1e-6, row
        assert abs(row["roofline_share"] * row["matmul_gflops"] / row["gflops"] - 1) < 1e-6
assert all(not r["against"] for r in rows("attention", *small, "--lengths", "64", "--pass", "forward", "--alone"))

found = rows("train", "--repeats", "1", "--threads", "1")
assert [r["pass"] for r in found] == ["transfer", "lora"] and all(set(r["against"]) == {"composed"} for r in found)
assert all(0 < r["matmul_share"] < 1 and 0 < r["attention_kernel_share"] < 1 for r in found), found

found = rows("decode", *small, "--positions", "64,256", "--components", "hybrid,teacher")
state = [r["state_bytes"] for r in found if r["pass"] == "hybrid"]
assert state[0] == state[1] == 4 * (4 * 32 * 17 + 2 * 2 * 20 * 16), state  # states [H,2F,D+1], ring [2,G,w,D]
assert found[1]["cache_bytes"] == 4 * 2 * 2 * 16 * 256 and set(found[1]["against"]) == {"softmax cache"}

with tempfile.TemporaryDirectory() as folder:
    found = rows("store", "--repeats", "1", "--folder", folder)
    import os
    assert found[0]["points_per_s"] > 0 and not os.listdir(folder)

assert "multiple" in bench("attention", "--heads", "3", "--kv-heads", "2", code=1).stderr
assert "float16" in bench("attention", "--dtype", "float16", code=1).stderr
assert "even" in bench("decode", "--head-dim", "15", code=1).stderr
bench(code=2)
bench("attention", "--repeats", "0", code=2)
print("bench holds")
