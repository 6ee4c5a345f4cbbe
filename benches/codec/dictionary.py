#!/usr/bin/env python3
"""What a trained zstd dictionary would save: bytes per device of reports of 1, 100 and 10,000 devices, with and without one.

    python3 benches/codec/dictionary.py

Needs the zstd program. The dictionary is trained on reports of other invented fleets of the same makers, which flatters it.
"""
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LEVEL = "-9"
DICTIONARY_BYTES = [16_384, 65_536]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        run("cargo", "run", "--quiet", "--release", "-p", "platen-codec", "--example", "sizes", "--", folder)
        train = sorted(str(path) for path in Path(folder, "train").iterdir())
        dictionaries = []
        for size in DICTIONARY_BYTES:
            dictionary = os.path.join(folder, f"dictionary-{size}")
            run("zstd", "--quiet", "--train", *train, f"--maxdict={size}", "-o", dictionary)
            dictionaries.append(dictionary)
        print(f"{'report':<20} {'gzip':>8} {'zstd':>8} " + " ".join(f"{f'{size >> 10} kB dict.':>12}" for size in DICTIONARY_BYTES) + "   (bytes per device)")
        for path in sorted(Path(folder, "test").iterdir(), key=lambda path: (int(path.stem.split("-")[-1]), path.stem)):
            devices = int(path.stem.split("-")[-1])
            sizes = [len(run("gzip", "-9", "--no-name", "--stdout", str(path))), len(run("zstd", LEVEL, "--stdout", "--quiet", str(path)))]
            sizes += [len(run("zstd", LEVEL, "--stdout", "--quiet", "-D", dictionary, str(path))) for dictionary in dictionaries]
            first, second, *rest = (round(size / devices) for size in sizes)
            print(f"{path.stem:<20} {first:>8} {second:>8} " + " ".join(f"{size:>12}" for size in rest))


main()
