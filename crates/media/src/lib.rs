//! The media plane: worker threads that move, mix and play audio.
