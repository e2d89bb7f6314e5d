"""Instructions of fixed kernel calls, counted by callgrind, against those in tests/golden/instruction_counts.json (± 3 %):
a guard that does not depend on how busy the machine is. Counts belong to a compiler; others skip.
usage: instruction_counts.py COUNT_INSTRUCTIONS COMPILER [--write]   exit code 77: skipped"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

program, compiler = sys.argv[1:3]
golden = pathlib.Path(__file__).parent.parent / "golden" / "instruction_counts.json"
CASES = ["forward", "backward", "bfloat16", "weights"]
ALLOWED = 0.03

def skip(reason):
    print("skipped:", reason)
    sys.exit(77)

def count(case):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--collect-atstart=no",
                               "--toggle-collect=counted_part", program, case], capture_output=True, text=True)
    if done.returncode == 77:
        skip("this processor has no AVX2")
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert done.returncode == 0 and found and int(found[1]) > 0, done.stderr
    return int(found[1])

if not shutil.which("valgrind"):
    skip("valgrind is not installed")
known = json.loads(golden.read_text()) if golden.exists() else {}
if "--write" in sys.argv:
    known[compiler] = {case: count(case) for case in CASES}
    golden.write_text(json.dumps(known, indent=1) + "\n")
    sys.exit(0)
if compiler not in known:
    skip(f"no counts for {compiler}; add them with --write")
wrong = []
for case in CASES:
    now, before = count(case), known[compiler][case]
    print(f"{case:10} {now:12,} instructions, {100 * (now / before - 1):+.2f} %")
    if abs(now / before - 1) > ALLOWED:
        wrong.append(case)
if wrong:
    sys.exit(f"more than {100 * ALLOWED:.0f} % away: {', '.join(wrong)}. If that is meant, write the counts anew with --write")
