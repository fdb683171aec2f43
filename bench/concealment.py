"""Scores the output of bench/concealment and prints the table."""

import subprocess
import sys

import numpy
from pesq import pesq

LOSSES = [1, 3, 5, 10]
# Name, rate, scale, patterns, and the delay of the codec in samples.
CODECS = [("pcmu", 8000, "nb", 6, 0), ("g722", 16000, "wb", 4, 22)]


def score(program, path, codec, rate, scale, late, loss, seed, ahead):
    with open(path, "rb") as file:
        arguments = [program, codec, str(loss), str(seed)] + ahead
        out = subprocess.run(arguments, stdin=file, stdout=subprocess.PIPE, check=True).stdout
    speech = numpy.fromfile(path, dtype=numpy.int16)
    heard = numpy.frombuffer(out, dtype=numpy.int16)
    return pesq(rate, speech[: len(heard) - late], heard[late:], scale)


def main():
    program, folder = sys.argv[1:3]
    print("| codec | packet after the loss |" + "".join(f" {loss} % lost |" for loss in LOSSES))
    print("|---|---|" + "---|" * len(LOSSES))
    for codec, rate, scale, patterns, late in CODECS:
        path = f"{folder}/speech{rate // 1000}.raw"
        for name, ahead in [("not arrived", []), ("arrived", ["ahead"])]:
            row = f"| {codec} | {name} |"
            for loss in LOSSES:
                seeds = range(1, patterns + 1)
                scores = [score(program, path, codec, rate, scale, late, loss, seed, ahead) for seed in seeds]
                row += f" {numpy.mean(scores):.2f} (worst {min(scores):.2f}) |"
            print(row, flush=True)


main()
