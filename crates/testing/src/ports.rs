//! Ports of loopback for programs that can't take a free one themselves.

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    ops::RangeInclusive,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    process,
    sync::{Mutex, PoisonError},
};

/// Above the ports that Linux gives out by itself, and above those of audio: nobody takes one of these who does not ask for it.
const PORTS: RangeInclusive<u16> = 61_000..=65_531;
/// A telephone that is told one port may listen on the next one as well (baresip does for TLS).
const EACH: u16 = 4;

/// Held as long as this process lives, for each port that it has been given.
static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port of loopback that is free for UDP and TCP, with the three after it. No other test is given them while this process lives,
/// so that they stay free until the program that wants them is up, and while it is started again.
///
/// # Panics
/// If all are taken.
#[must_use]
pub fn free_port() -> u16 {
    let slots = (PORTS.end() - PORTS.start() + 1) / EACH;
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    // Processes that start side by side look at different places first.
    let first = process::id().wrapping_mul(37) + u32::try_from(held.len()).unwrap_or_default();
    for step in 0..u32::from(slots) {
        let slot = first.wrapping_add(step) % u32::from(slots);
        let port = PORTS.start() + u16::try_from(slot).expect("below the count of slots") * EACH;
        let Some(lock) = lock(port) else { continue };
        if (port..port + EACH).all(is_free) {
            held.push(lock);
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free on loopback");
}

/// A name that one process at a time can have, and that ends with it.
fn lock(port: u16) -> Option<UnixListener> {
    let address = SocketAddr::from_abstract_name(format!("plenary-test-port-{port}")).ok()?;
    UnixListener::bind_addr(&address).ok()
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_none_that_is_in_use() {
        let first = free_port();
        let second = free_port();
        assert!(first.abs_diff(second) >= EACH, "{first} {second}");
        assert!(lock(first).is_none() && lock(second).is_none());
        let busy = UdpSocket::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        assert!(!is_free(first));
        drop(busy);
        assert!(is_free(first));
    }
}
