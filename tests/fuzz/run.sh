#!/usr/bin/env bash
# Runs each libFuzzer target over a fixed number of inputs and says what it found.
#   cmake --preset fuzz && cmake --build build/fuzz && tests/fuzz/run.sh build/fuzz [RUNS] [TARGET...]
# Exit code 1 where a target crashed, leaked, ran out of memory or took more than 10 s on one input; the input is kept in
# BUILD/fuzz/TARGET.findings. Put mended ones into tests/fuzz/findings/TARGET, which the tests replay.
set -u
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
build=$1 runs=${2:-1000000}
shift $(($# > 2 ? 2 : $#))
targets=${*:-safetensors config tokenizer tokenizer_model json_lines task}
failed=0
for target in $targets; do
  work=$build/fuzz/$target
  mkdir -p "$work.findings"
  "$build/bin/replay_$target" --write "$work" >/dev/null
  # tokenizer.model goes through a library that is compiled without sanitizers and may keep memory of its own.
  "$build/bin/fuzz_$target" "$work" -dict="$work.dict" -runs="$runs" -max_len=8192 -timeout=10 -rss_limit_mb=3000 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix="$work.findings/" >"$work.log" 2>&1
  code=$?
  grep -E 'ERROR|SUMMARY|number_of_executed_units|average_exec_per_sec|runtime error' "$work.log" | sed "s/^/$target: /"
  [ $code -eq 0 ] && echo "$target: no finding" || { echo "$target: exit code $code, see $work.log"; failed=1; }
done
exit $failed
