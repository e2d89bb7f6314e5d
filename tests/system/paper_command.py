"""equipoise paper: the list, one table in each form, and what it says of a table that is not there.
usage: paper_command.py EQUIPOISE"""
import csv
import io
import json
import subprocess
import sys

program = sys.argv[1]

def paper(*args, code=0):
    done = subprocess.run([program, "paper", *args], capture_output=True, text=True, timeout=30)
    assert done.returncode == code, f"{args}: exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done

listed = json.loads(paper("--json", "-").stdout)
assert [t["id"] for t in listed["tables"]] == [f"table{n}" for n in range(1, 18)]
assert sum(t["cells"] for t in listed["tables"]) == 1950
assert [f["id"] for f in listed["figures"]] == [f"figure{n}" for n in range(1, 11)]
shown = paper().stdout
assert all(t["id"] in shown and t["caption"] in shown for t in listed["tables"])

table = json.loads(paper("table10", "--json", "-").stdout)
assert table["status"] == "as printed" and len(table["rows"]) == 39
row = next(r for r in table["rows"] if r["model"] == "llama-3-8b-instruct" and r["component"] == "hybrid" and r["setting"] == {"finetune_epochs": "1"})
assert row["cells"]["recovered"] == {"printed": "95.90", "value": 95.9, "spread": None, "notes": ["C44b"], "uncertain": False}
assert "C44b" in table["note_texts"]

rows = list(csv.DictReader(io.StringIO(paper("7", "--csv").stdout)))
assert len(rows) == 112 and {"table7"} == {r["table"] for r in rows}
assert next(r for r in rows if r["row"] == "SWA only" and r["column"] == "hellaswag")["spread"] == "1.15"
assert paper("table1", "--markdown").stdout.count("\n|") >= 23
assert "\\begin{tabular}" in paper("table1", "--latex").stdout
assert "as printed" in paper("table1").stdout and "as printed" in paper("figure4").stdout

assert "table17" in paper("table18", code=2).stderr
assert "table12" in paper("figure4", "--csv", code=2).stderr
paper("table1", "--csv", "--latex", code=2)
paper("--csv", code=2)
print("paper holds")
