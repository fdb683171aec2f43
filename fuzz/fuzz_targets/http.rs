//! Requests of the web services: path, query, credentials, and bodies of all kinds, between octets that no header has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::LazyCell;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: LazyCell<Runtime> =
        LazyCell::new(|| Builder::new_current_thread().build().expect("a runtime without a driver"));
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(4, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (target, authorization, kind, body) = (next(), next(), next(), next());
    let Ok(target) = std::str::from_utf8(target) else { return };
    // The kinds there are, as short as can be.
    let kind: &[u8] = match kind {
        b"" => b"application/x-www-form-urlencoded",
        b"j" => b"application/json",
        b"m" => b"multipart/form-data; boundary=b",
        kind => kind,
    };
    RUNTIME.with(|runtime| runtime.block_on(plenary_api::fuzzing::request(target, authorization, kind, body)));
});
