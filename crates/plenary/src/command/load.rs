//! `plenary load`.
