#!/bin/sh
# run.sh SECONDS [FUZZER…]: builds the fuzzers (all of them unless some are named) and lets each run that long from its seeds. New inputs
# stay in the build folder; one that crashes is kept there as crash-*.
set -eu
seconds=${1:?usage: run.sh SECONDS [FUZZER…]}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
cmake --preset fuzz >/dev/null
targets=${*:-$(ls tests/fuzz/*_fuzz.cc | xargs -n1 basename | sed 's/\.cc$//')}
ninja -C build/fuzz $targets >/dev/null
for target in $targets; do
  seeds="tests/fuzz/seeds/${target%_fuzz}"
  corpus="build/fuzz/corpus/$target"
  mkdir -p "$corpus"
  log="build/fuzz/$target.log"
  if ! "build/fuzz/bin/$target" -max_total_time="$seconds" -timeout=5 -max_len=8192 \
      -artifact_prefix="build/fuzz/crash-$target-" "$corpus" "$seeds" >"$log" 2>&1; then
    tail -40 "$log"
    echo "fuzz: $target FAILED"
    exit 1
  fi
  echo "fuzz: $target $(grep -c . "$log") lines of log, $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log") runs"
done
echo "fuzz: ok"
