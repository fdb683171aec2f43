//! Signal processing for a conference bridge: codecs, levels, tones, mixing.
