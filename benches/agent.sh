#!/usr/bin/env bash
# What `platen-agent run` takes with a large fleet: memory while it learns and at the most ever (goal 64 MiB), CPU time per device, and sealed
# bytes per device and round, both streams together: of the first, full reports (goal 400) and in the steady state (goal 120).
#   benches/agent.sh [DEVICES] [LATENCY_MS] [deltas|full]        10,000 simulated printers that answer after 20 ms; deltas, as by default
# Linux; loopback alone. Builds in release.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release -p platen-loadtest -p platen-agent --bins
cargo build --release -p platen-agent --example footprint
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
exec "$target/release/examples/footprint" "$@"
