//! Support for the tests of several crates. Not part of the product.

#![forbid(unsafe_code)]

pub mod ports;
mod postgres;
pub mod provider;

pub use postgres::Postgres;
