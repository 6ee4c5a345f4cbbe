#!/usr/bin/env bash
# What `platen-agent discover` takes for a /16 with some 325 printers scattered in it: time against the arithmetic floor, CPU time, memory.
#   benches/discovery.sh [REQUESTS_PER_SECOND]      10,000 a second
# The floor: two requests to each silent address at that rate (one community, version 2c), and the timeouts of the last addresses at
# the first attempt (1 s) and at the second (2 s), while nothing is left to be sent.
# Linux; loopback alone. Builds in release.
set -euo pipefail
cd "$(dirname "$0")/.."
rate=${1:-10000}
port=${PORT:-16177}
cargo build --release -p platen-loadtest -p platen-agent --bins
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
out=$(mktemp -d)
"$target/release/loadtest" fleet --devices 65024 --first 127.99.0.1 --port "$port" --dead-permille 995 --asleep-permille 0 \
  >"$out/fleet" 2>&1 &
fleet=$!
trap 'kill $fleet 2>/dev/null || true; rm -rf "$out"' EXIT
until "$target/release/platen-agent" discover "127.99.0.0/24:$port" --version 2c --timeout 100ms --retries 0 >/dev/null 2>&1; do
  kill -0 $fleet || { cat "$out/fleet"; exit 1; }
done
start=$(date +%s.%N)
"$target/release/platen-agent" discover "127.99.0.0/16:$port" --version 2c --packets-per-second "$rate" --format csv \
  >"$out/found" 2>"$out/said" &
agent=$!
rss=0
ticks=0
while kill -0 $agent 2>/dev/null; do
  # The highest so far, and the CPU time so far: read until it ends.
  now=$(awk '/VmHWM/ {print $2}' /proc/$agent/status 2>/dev/null || true)
  rss=${now:-$rss}
  now=$(awk '{print $14 + $15}' /proc/$agent/stat 2>/dev/null || true)
  ticks=${now:-$ticks}
  sleep 0.05
done
wait $agent
end=$(date +%s.%N)
found=$(($(wc -l <"$out/found") - 1))
tail -n 1 "$out/said"
awk -v rate="$rate" -v start="$start" -v end="$end" -v ticks="$ticks" -v hz="$(getconf CLK_TCK)" -v rss="$rss" -v found="$found" 'BEGIN {
  floor = (2 * 65534 - found) / rate
  wall = end - start
  printf "found %d printers; wall %.1f s; floor %.1f s at %d requests/s and 3 s for the last timeouts of both attempts, ratio %.2f; CPU %.2f s; peak memory %.1f MB\n",
    found, wall, floor, rate, wall / (floor + 3), ticks / hz, rss / 1024
  split("500 1000", caps, " ")
  for (at = 1; at <= 2; at++)
    printf "at the cap of %d requests/s: %.0f s (arithmetic; one community), %.0f s with version 1 tried, too\n",
      caps[at], 2 * 65534 / caps[at], 4 * 65534 / caps[at]
}'
