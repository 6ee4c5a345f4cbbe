#!/usr/bin/env python3
"""Reading sealed reports into columns: Platen beside zlib + libxml2 (SAX2) and libdeflate + pugixml, the same extraction, in one run.

    python3 benches/codec/rivals.py

Needs a C++ compiler and Debian's libxml2-dev, libpugixml-dev, libdeflate-dev and zlib1g-dev. The programs take turns, three rounds; the best
round of each counts. The sums of what was extracted must be the same on all three sides, or the script fails.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROUNDS = 3


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent.parent).stdout


def main():
    example = ["cargo", "run", "--quiet", "--release", "-p", "platen-codec", "--example", "decode", "--"]
    with tempfile.TemporaryDirectory() as folder:
        run(*example, "dump", folder)
        rivals = os.path.join(folder, "rivals")
        flags = run("pkg-config", "--cflags", "--libs", "libxml-2.0", "pugixml", "libdeflate", "zlib").split()
        run("c++", "-O3", "-std=c++20", "-I", folder, "-o", rivals, str(HERE / "rivals.cpp"), *flags)
        sides = {
            "Platen": [*example, "time", folder],
            "libxml2": [rivals, "libxml2", folder],
            "pugixml": [rivals, "pugixml", folder],
        }
        best, sums, sizes = {}, {}, {}
        for _ in range(ROUNDS):
            for side, command in sides.items():
                for line in run(*command).splitlines():
                    name, whole, parse, *extracted = line.split()
                    if sums.setdefault(name, extracted) != extracted:
                        sys.exit(f"{side} extracted {extracted} from {name}, another side {sums[name]}")
                    before = best.get((side, name), (float("inf"), float("inf")))
                    best[side, name] = (min(before[0], float(whole)), min(before[1], float(parse)))
        for name in sums:
            sizes[name] = os.path.getsize(os.path.join(folder, f"{name}.xml"))
    for title, which in [("inflate, parse, columns", 0), ("parse, columns", 1)]:
        print(f"\n{title:<24} {'Platen':>10} {'GB/s':>6} {'libxml2':>10} {'ratio':>6} {'pugixml':>10} {'ratio':>6}   (microseconds of CPU a report)")
        for name in sums:
            ours, sax, dom = (best[side, name][which] / 1000 for side in sides)
            print(f"{name:<24} {ours:>10.1f} {sizes[name] / ours / 1000:>6.2f} {sax:>10.1f} {sax / ours:>6.2f} {dom:>10.1f} {dom / ours:>6.2f}")


main()
