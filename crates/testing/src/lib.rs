//! What tests of several crates need. Never part of the product.

#![forbid(unsafe_code)]

mod postgres;

pub use postgres::Postgres;
