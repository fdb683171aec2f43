"""Scores the recordings of bench/recording and prints the table."""

import glob
import subprocess
import sys

import numpy
from pesq import pesq

from quality import CODECS, cut, read

GOAL = 4.2


def score(folder, codec, rate, mode, tracks, format):
    speech = read(f"{folder}/speech{rate // 1000}.wav")
    scores = []
    for path in glob.glob(f"{folder}/{codec}-{tracks}-{format}.*.audio"):
        played = f"{path}.wav"
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path, "-ar", str(rate), "-ac", "1", played], check=True)
        heard = read(played)
        if numpy.abs(heard).max() > 1000:
            heard = cut(heard, speech)
            scores.append(pesq(rate, speech.astype(numpy.int16), heard.astype(numpy.int16), mode))
    assert len(scores) == 1, f"{codec} {tracks} {format}: {len(scores)} tracks with a voice"
    return scores[0]


def main():
    folder = sys.argv[1]
    kinds = [(tracks, format) for tracks in ("mixed", "separate") for format in ("wav", "opus")]
    print("| callers | " + " | ".join(f"{tracks}, {'Ogg/Opus' if format == 'opus' else 'WAV'}" for tracks, format in kinds) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    missed = []
    for codec, rate, mode in CODECS:
        row = [score(folder, codec, rate, mode, *kind) for kind in kinds]
        missed += [f"{codec}, {kind}: {value:.2f} is below {GOAL}" for kind, value in zip(kinds, row) if value < GOAL]
        name = f"{codec}, {'narrowband' if mode == 'nb' else 'wideband'}"
        print(f"| {name} |" + "".join(f" {value:.2f} |" for value in row))
    for text in missed:
        print(f"Goal missed: {text}")
    sys.exit(1 if missed else 0)


main()
