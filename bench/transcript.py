"""What two speakers say, and word errors of its transcript: see bench/transcript."""

import pathlib
import re
import sys

import numpy
import soundfile
from prompts import LANGUAGE, MAX_WORD_ERRORS, errors, words
from scipy.signal import resample_poly

RATE_HZ = 8000
PAUSE_S = 1.5
# Each says its prompts once and is silent from then on.
SAID = [
    ["time.ends-in-10", "lobby.wait", "help.participant"],
    ["dial.accept", "wait.leader", "entry.leader-pin", "time.extended-15"],
]


def texts():
    lines = (LANGUAGE / "texts.tsv").read_text().splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def write(work):
    for number, prompts in enumerate(SAID, 1):
        # One after the other, so that nobody talks over the other.
        parts = [numpy.zeros(int(RATE_HZ * (2 + 17 * (number - 1))))]
        for name in prompts:
            sound, rate = soundfile.read(LANGUAGE / "audio" / f"{name}.flac")
            parts += [resample_poly(sound, RATE_HZ, rate), numpy.zeros(int(RATE_HZ * PAUSE_S))]
        parts.append(numpy.zeros(RATE_HZ * 60))
        soundfile.write(work / f"speaker-{number}.wav", numpy.clip(numpy.concatenate(parts), -1, 1), RATE_HZ, "PCM_16")


def check(work):
    transcript = (work / "transcript.vtt").read_text()
    heard = {}
    for name, text in re.findall(r"^<v ([^>]*)>(.*)$", transcript, re.MULTILINE):
        heard.setdefault(name, []).append(text)
    total = wrong = 0
    for prompts in SAID:
        expected = words(" ".join(texts()[name] for name in prompts))
        # The one that it is most like: names are those of the telephones.
        best = min((errors(expected, words(" ".join(said))) for said in heard.values()), default=len(expected))
        total, wrong = total + len(expected), wrong + best
    share = wrong / total
    print(transcript)
    print(f"A transcript of two speakers over G.711 and Opus at 24 kbit/s: {wrong} of {total} words wrong, {100 * share:.1f} % (at most {100 * MAX_WORD_ERRORS:.0f} %), {len(heard)} names")
    sys.exit(1 if share > MAX_WORD_ERRORS or len(heard) != 2 else 0)


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]))
