#!/bin/sh
# Everything that is measured about polling, one table after the other. Linux; loopback only; ten minutes on two quiet cores.
#
#   benches/polling/run.sh                  all of it
#   benches/polling/run.sh exchanges        the drivers against a bare sendmmsg loop, and against the async-snmp crate
#   benches/polling/run.sh sweep [OPTIONS]  10,000 simulated printers against the arithmetic floor (poller/examples/sweep)
#   benches/polling/run.sh rivals [OPTIONS] other programs on the same simulated printers (benches/polling/rivals.py)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
what=${1:-all}
[ $# -gt 0 ] && shift

build() {
    (cd "$root" && cargo build --release --quiet -p platen-loadtest -p platen-poller --bin loadtest --example exchanges --example sweep)
}

exchanges() {
    CARGO_TARGET_DIR="$target/async-snmp" cargo build --release --quiet --locked --manifest-path "$here/async-snmp/Cargo.toml"
    own=$(mktemp) && fifo=$(mktemp -u) && mkfifo "$fifo"
    "$target/release/examples/exchanges" | tee "$own"
    # The same responder once more, until its input ends.
    address=$(mktemp)
    "$target/release/examples/exchanges" --serve < "$fifo" > "$address" &
    exec 3> "$fifo"
    while [ ! -s "$address" ]; do :; done
    theirs=$(for _ in 1 2 3; do "$target/async-snmp/release/polling-async-snmp" "$(cat "$address")"; done | sort -k2 -n | tail -1)
    exec 3>&-
    wait
    echo "$theirs"
    # Thousands per CPU-second stand behind the name, whatever its length.
    rate() { sed -n 's/.* \([0-9.]*\) k per CPU-second.*/\1/p'; }
    ours=$(grep 'by default' "$own" | rate)
    echo "$theirs" | rate | awk -v ours="$ours" '{ printf "the default driver makes %.1f times the exchanges per CPU-second of async-snmp\n", ours / $1 }'
    rm -f "$own" "$fifo" "$address"
}

build
case $what in
    exchanges) exchanges ;;
    sweep) "$target/release/examples/sweep" "$@" ;;
    rivals) "$here/rivals.py" --target "$target" "$@" ;;
    all)
        exchanges
        echo
        "$target/release/examples/sweep"
        echo
        "$target/release/examples/sweep" --rate 0
        echo
        "$here/rivals.py" --target "$target"
        ;;
    *)
        echo "unknown: $what" >&2
        exit 2
        ;;
esac
