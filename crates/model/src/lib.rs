//! The nouns that people and programs configure, and when two of them mean the same. Pure: no clock, no socket, no store.
//!
//! So far: telephone numbers. Whatever compares names that may be numbers (services by what was dialled, users, targets,
//! rules of trunks, callers) does it here.

#![forbid(unsafe_code)]

mod number;

pub use number::{Likeness, Number, is_same_name, likeness};
