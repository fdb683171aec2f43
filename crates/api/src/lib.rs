//! The web services over HTTP.
