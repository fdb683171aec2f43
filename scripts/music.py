"""The music on hold, from nothing but arithmetic: plucked strings (Karplus and Strong, 1983), sixteen bars that end where they begin.

No note lasts: what suppresses noise takes a long tone for noise.
"""

import numpy
import pyloudnorm
from scipy.signal import butter, lfilter, sosfilt

RATE = 12_000
LOUDNESS_LUFS = -27.0
BITS = 11
BEATS_PER_MINUTE = 72
BEAT_S = 60 / BEATS_PER_MINUTE
BARS = 16
SAMPLES = round(BARS * 4 * BEAT_S * RATE)

# One chord a bar, as MIDI notes, twice through: C, Am, F, G, C, Em, Am, F.
CHORDS = [
    (60, 64, 67, 72),
    (57, 60, 64, 69),
    (53, 57, 60, 65),
    (55, 59, 62, 67),
    (60, 64, 67, 72),
    (52, 59, 64, 67),
    (57, 60, 64, 69),
    (53, 57, 60, 65),
]
# The last bar leads back to the first.
LAST_CHORD = (55, 59, 62, 67)
PATTERN = (0, 1, 2, 3, 2, 1, 2, 1)
# Of each bar: notes as (beat, MIDI note).
MELODY = [
    [(0, 76), (2, 79)],
    [(1, 76), (3, 72)],
    [(0, 72), (2, 69)],
    [(1, 71), (2, 74)],
    [(0, 72), (3, 67)],
    [(1, 71), (2, 67)],
    [(0, 69), (2, 72)],
    [(1, 69), (2, 65)],
    [(0, 79), (2, 76)],
    [(1, 72), (3, 76)],
    [(0, 77), (2, 72)],
    [(1, 74), (2, 71)],
    [(0, 76), (3, 79)],
    [(1, 79), (2, 76)],
    [(0, 76), (2, 72)],
    [(1, 74), (3, 71)],
]


def hertz(note):
    return 440 * 2 ** ((note - 69) / 12)


def pluck(random, note, seconds, strength):
    """A string: a burst of noise that goes round in a delay of one period and loses its highs at each round."""
    period = RATE / hertz(note)
    # The averaging filter delays by half a sample; an all-pass filter makes up the fraction, or high notes would be out of tune.
    whole = int(period - 0.5)
    fraction = period - 0.5 - whole
    allpass = (1 - fraction) / (1 + fraction)
    # Low strings sound longer than high ones.
    loss = 0.5 ** (period / RATE / 0.45)
    feedback = numpy.zeros(whole + 3)
    feedback[0], feedback[1] = 1, allpass
    feedback[whole : whole + 3] -= 0.5 * loss * numpy.array([allpass, 1 + allpass, 1])
    samples = int(seconds * RATE)
    burst = numpy.zeros(samples)
    noise = random.uniform(-1, 1, whole)
    # The pick is soft.
    burst[:whole] = numpy.convolve(numpy.concatenate([noise, noise]), numpy.ones(5) / 5, "same")[:whole]
    burst[:whole] -= burst[:whole].mean()
    sound = lfilter([1, allpass], feedback, burst)
    fade = int(0.05 * RATE)
    sound[-fade:] *= numpy.linspace(1, 0, fade)
    return sound * strength


def compose():
    random = numpy.random.default_rng(7)
    loop = numpy.zeros(SAMPLES)

    def add(sound, beat, late_s=0.0):
        # What goes beyond the end is heard at the beginning.
        first = round((beat * BEAT_S + late_s) * RATE)
        numpy.add.at(loop, (first + numpy.arange(len(sound))) % SAMPLES, sound)

    for bar in range(BARS):
        chord = LAST_CHORD if bar == BARS - 1 else CHORDS[bar % len(CHORDS)]
        add(pluck(random, chord[0] - 12, 3.2, 0.6), bar * 4)
        for i, string in enumerate(PATTERN):
            # A hand is neither even nor exact.
            strength = 0.35 + 0.05 * random.random()
            add(pluck(random, chord[string], 1.6, strength), bar * 4 + i / 2, random.normal(0, 0.004))
        for beat, note in MELODY[bar]:
            add(pluck(random, note, 2.4, 0.42), bar * 4 + beat)
    # Filtered in the middle of three rounds, so that the filter has no beginning either.
    band = butter(2, [120, 5000], "band", fs=RATE, output="sos")
    loop = sosfilt(band, numpy.concatenate([loop] * 3))[SAMPLES : 2 * SAMPLES]
    return loop * 10 ** ((LOUDNESS_LUFS - pyloudnorm.Meter(RATE).integrated_loudness(loop)) / 20)


def make(path, write):
    write(path, compose(), RATE, BITS)
