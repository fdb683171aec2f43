"""Word errors of a recogniser over a dialogue by keypad: see bench/dialogue."""

import sys

import numpy
import soundfile
from faster_whisper.vad import VadOptions
from prompts import MAX_WORD_ERRORS, errors, recogniser, words
from scipy.signal import resample_poly

SAID = """
Welcome. Please enter your room number, followed by pound.
Please enter your PIN, followed by pound.
That PIN is not right. Please try again. Please enter your PIN, followed by pound.
You are joining as the leader. You are the first to arrive.
You are muted.
You are the only one here.
The conference is locked.
To end the conference for everyone, press one.
This conference is over. Goodbye.
"""


def main():
    sound, rate = soundfile.read(sys.argv[1])
    sound = resample_poly(sound, 16000, rate).astype(numpy.float32)
    # Music on hold plays between the sentences: only what sounds like speech is written down.
    options = VadOptions(min_silence_duration_ms=400, speech_pad_ms=200)
    segments, _ = recogniser().transcribe(
        sound, language="en", beam_size=5, vad_filter=True, vad_parameters=options, condition_on_previous_text=False
    )
    heard = " ".join(segment.text.strip() for segment in segments)
    expected = words(SAID)
    wrong = errors(expected, words(heard))
    share = wrong / len(expected)
    print(f"Heard: {heard}")
    print(f"A dialogue by keypad over G.711 µ-law: {wrong} of {len(expected)} words wrong, {100 * share:.1f} % (at most {100 * MAX_WORD_ERRORS:.0f} %)")
    sys.exit(1 if share > MAX_WORD_ERRORS else 0)


main()
