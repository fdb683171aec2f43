//! System calls that the standard library lacks, behind safe functions: datagrams in batches, their arrival times,
//! socket options, thread priorities, free disk space.
//!
//! - [`Receiver`] and [`Sender`] move many datagrams of one socket with one system call (`recvmmsg`, `sendmmsg`).
//! - [`Ring`] moves datagrams of many sockets with one system call (io_uring).
//! - [`stamp_arrivals`], [`disconnect`] and [`grow_receive_buffer`] change a socket.
//! - [`run_real_time`], [`run_before_others`] and [`wake_precisely`] change the calling thread.
//! - [`is_clock_synchronised`] asks the kernel about its clock.
//! - [`free_bytes`] and [`disk_space`] ask a file system.
//!
//! Buffers are allocated once, when a [`Receiver`], [`Sender`] or [`Ring`] is made; moving a datagram allocates nothing
//! and takes no lock. The crate decides nothing and knows no protocol above UDP. It runs on Linux only.
//!
//! All other crates of the workspace forbid `unsafe`, except `audio`, which calls libopus.

mod batch;
mod clock;
mod disk;
mod ring;
mod slots;
mod socket;
mod thread;

pub use batch::{Receiver, Sender};
pub use clock::is_clock_synchronised;
pub use disk::{DiskSpace, disk_space, free_bytes};
pub use ring::{OutgoingDatagram, Query, Ring, Socket};
pub use slots::{DATAGRAM_BYTES, Datagram};
pub use socket::{disconnect, grow_receive_buffer, stamp_arrivals};
pub use thread::{run_before_others, run_real_time, wake_precisely};
