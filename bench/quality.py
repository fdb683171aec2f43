"""Scores the recordings of bench/quality and prints the table."""

import json
import pathlib
import subprocess
import sys
import wave

import numpy
from pesq import pesq

LOSSES = [0, 10, 30, 50, 100]
JITTERS = [0, 20, 60]
CODECS = [("pcmu", 8000, "nb"), ("g722", 16000, "wb"), ("opus", 16000, "wb")]


def read(path):
    with wave.open(path) as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), dtype=numpy.int16).astype(float)


def cut(heard, speech):
    """The part of the recording that correlates best with the speech, which is played twice: its second round."""
    size = len(heard) + len(speech)
    likeness = numpy.fft.irfft(numpy.fft.rfft(heard, size) * numpy.conj(numpy.fft.rfft(speech, size)), size)
    # By the second half the jitter buffer has settled.
    first = len(speech) // 2
    last = max(first + 1, len(heard) - len(speech))
    start = first + int(numpy.argmax(likeness[first:last]))
    return heard[start : start + len(speech)]


def score(folder, codec, rate, mode, loss, jitter):
    path = f"{folder}/{codec}-{loss}-{jitter}"
    subprocess.run(["sox", f"{path}.wav", "-r", str(rate), f"{path}-r.wav"], check=True, stderr=subprocess.DEVNULL)
    speech = read(f"{folder}/speech{rate // 1000}.wav")
    heard = cut(read(f"{path}-r.wav"), speech)
    return pesq(rate, speech.astype(numpy.int16), heard.astype(numpy.int16), mode)


def network(folder, codec, jitter):
    """The jitter that the server measured of the talker's packets, and the target of its jitter buffer, in ms."""
    members = json.loads(pathlib.Path(f"{folder}/{codec}-{jitter}.json").read_text())["items"]
    # The listener sends without emulated jitter.
    talker = max((member["statistics"] for member in members), key=lambda statistics: statistics["jitter_ms"])
    return f"{talker['jitter_ms']:.1f}, {talker['buffer_ms']:.0f} ms"


def main():
    folder = sys.argv[1]
    print("| codec, scale | jitter | measured jitter, buffer |" + "".join(f" {loss / 10:g} % lost |" for loss in LOSSES))
    print("|---|---|---|" + "---|" * len(LOSSES))
    scores = {}
    for codec, rate, mode in CODECS:
        for jitter in JITTERS:
            row = [score(folder, codec, rate, mode, loss, jitter) for loss in LOSSES]
            scores.update({(codec, loss, jitter): value for loss, value in zip(LOSSES, row)})
            name = f"{codec}, {'narrowband' if mode == 'nb' else 'wideband'}"
            print(f"| {name} | {jitter} ms | {network(folder, codec, jitter)} |" + "".join(f" {value:.2f} |" for value in row))
    goals = [(("pcmu", 0, 0), 4.3), (("opus", 0, 0), 4.2), (("pcmu", 30, 20), 3.5)]
    missed = [f"{key}: {scores[key]:.2f} is below {goal}" for key, goal in goals if scores[key] < goal]
    for text in missed:
        print(f"Goal missed: {text}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
