#!/usr/bin/env bash
# What `platen-agent run` takes with a large fleet: memory while it learns and afterwards, CPU time and bytes per device and poll.
#   benches/agent.sh [DEVICES] [LATENCY_MS]        10,000 simulated printers that answer after 20 ms
# Linux; loopback alone. Builds in release.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release -p platen-loadtest -p platen-agent --bins
cargo build --release -p platen-agent --example footprint
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
exec "$target/release/examples/footprint" "$@"
