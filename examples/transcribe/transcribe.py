#!/usr/bin/env python3
"""Makes a transcript of a recording with a Whisper model on this machine.

    transcribe.py MANIFEST TRACK…      as `transcripts.command` is run; WebVTT goes to standard output

WHISPER_MODEL names a folder with a model that faster-whisper can read. WHISPER_LANGUAGE (en) is the language; empty: it is found
out for each track. Of separate tracks each sentence has its speaker's name.
"""

import json
import os
import sys

from faster_whisper import WhisperModel
from faster_whisper.audio import decode_audio

RATE_HZ = 16_000


def timestamp(seconds):
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"


def escaped(text):
    """WebVTT, section 4.2.2: what begins a tag or a character reference. Line breaks would end the cue."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(text.split())


def speakers(manifest):
    """The names of tracks, in the order of the manifest; None where it is the mix."""
    shown = {one["participant_id"]: one.get("display_name") for one in manifest["participants"]}
    for track in manifest["tracks"]:
        participant = track.get("participant_id")
        yield shown.get(participant) or f"Speaker {track['number']}" if participant else None


def cues(model, path, language):
    # Tracks begin with the silence before their participant came: times are those of the recording.
    sound = decode_audio(path, sampling_rate=RATE_HZ)
    segments, _ = model.transcribe(sound, language=language, beam_size=5, vad_filter=True, condition_on_previous_text=False)
    for segment in segments:
        if text := segment.text.strip():
            yield segment.start, segment.end, text


def main():
    manifest_path, *tracks = sys.argv[1:]
    with open(manifest_path, encoding="utf-8") as file:
        manifest = json.load(file)
    model = WhisperModel(os.environ["WHISPER_MODEL"], device="cpu", compute_type="int8", cpu_threads=1)
    language = os.environ.get("WHISPER_LANGUAGE", "en") or None
    found = []
    for name, path in zip(speakers(manifest), tracks):
        found += [(begin, end, name, text) for begin, end, text in cues(model, path, language)]
    print("WEBVTT\n")
    for begin, end, name, text in sorted(found, key=lambda cue: cue[:2]):
        voice = f"<v {escaped(name)}>" if name else ""
        print(f"{timestamp(begin)} --> {timestamp(end)}\n{voice}{escaped(text)}\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()
