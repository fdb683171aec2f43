//! Seats over time.
