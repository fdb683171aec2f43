"""Scores the output of bench/recovery/run on ten networks with PESQ and prints the table."""

import pathlib
import sys

import numpy
from pesq import pesq

RATE = 8000


def score(speech, heard):
    """The score of the second half of the speech: in the first a jitter buffer still adapts to the network."""
    start = len(speech) // 2
    part = speech[start:]
    # The output is delayed by the path and the buffer, and at most by a step in the path's delay.
    around = heard[max(0, start - RATE // 2) : start + len(part) + RATE]
    size = len(around) + len(part)
    likeness = numpy.fft.irfft(numpy.fft.rfft(around, size) * numpy.conj(numpy.fft.rfft(part, size)), size)
    at = int(numpy.argmax(likeness[: max(1, len(around) - len(part))]))
    return pesq(RATE, part.astype(numpy.int16), around[at : at + len(part)].astype(numpy.int16), "nb")


def main():
    speech = numpy.fromfile(sys.argv[1], dtype=numpy.int16).astype(float)
    folder = pathlib.Path(sys.argv[2])
    print("\n| network | PESQ, ours | PESQ, NetEq |\n|---|---|---|")
    for ours in sorted(folder.glob("*-ours.raw")):
        name = ours.name.removesuffix("-ours.raw")
        row = [
            score(speech, numpy.fromfile(folder / f"{name}-{who}.raw", dtype=numpy.int16).astype(float))
            for who in ("ours", "neteq")
        ]
        print(f"| {name} | {row[0]:.2f} | {row[1]:.2f} |", flush=True)


main()
