//! Support for the tests of several crates. Not part of the product.

#![forbid(unsafe_code)]

mod postgres;

pub use postgres::Postgres;
