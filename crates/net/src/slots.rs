//! Memory that the kernel reads datagrams from and writes them to.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    ptr::{self, NonNull},
};

/// The longest datagram that is sent, and one octet more than the longest that is received; a longer one is received empty.
/// 200 ms of G.711 (RFC 3551, 4.2) with header extensions and an authentication tag are at most 1700 octets. Not a power of
/// two: at that distance all slots would compete for the same cache lines.
pub const DATAGRAM_BYTES: usize = 1792;
/// Space for one control message with a `timespec`, aligned like its header.
type Control = [u64; 8];

/// A received datagram, borrowed from the buffer that it was received into.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// The payload; empty if it was longer than [`DATAGRAM_BYTES`] - 1.
    pub bytes: &'a [u8],
    /// The source address; an IPv4-mapped one as IPv4.
    pub from: SocketAddr,
    /// When the kernel received it, in nanoseconds since 1970; `None` without [`stamp_arrivals`](crate::stamp_arrivals).
    pub arrived_wall_ns: Option<u64>,
    /// Its arrival time was not requested; see [`Query::is_unstamped`](crate::Query::is_unstamped).
    pub is_unstamped: bool,
}

/// `N` datagrams with their addresses and headers.
///
/// The headers point at the other arrays. All access goes through one raw pointer, and no reference lasts beyond the call
/// that makes it, except those of [`Self::bytes`], which borrow `self` and so exclude system calls.
pub(crate) struct Slots<const N: usize> {
    /// From `Box::leak`; freed in `drop`.
    arrays: NonNull<Arrays<N>>,
}

#[repr(C, align(64))]
struct Arrays<const N: usize> {
    datagrams: [[u8; DATAGRAM_BYTES]; N],
    headers: [libc::mmsghdr; N],
    vectors: [libc::iovec; N],
    names: [libc::sockaddr_storage; N],
    controls: [Control; N],
}

// SAFETY: the arrays are owned, all pointers in them point into them, and nothing in them is tied to a thread.
unsafe impl<const N: usize> Send for Slots<N> {}

impl<const N: usize> Slots<N> {
    /// All slots are ready to receive.
    pub(crate) fn new() -> Self {
        // SAFETY: these are integers, arrays of them, and plain C structs, for all of which zeroes are valid (of pointers:
        // null).
        let arrays = unsafe { Box::<Arrays<N>>::new_zeroed().assume_init() };
        let arrays = NonNull::from(Box::leak(arrays));
        let mut slots = Self { arrays };
        let all = arrays.as_ptr();
        for index in 0..N {
            // SAFETY: `arrays` is alive, and only this function has it yet. Taking a field's address makes no reference.
            unsafe {
                (*all).vectors[index] = libc::iovec {
                    iov_base: (&raw mut (*all).datagrams[index]).cast(),
                    iov_len: DATAGRAM_BYTES,
                };
                let header = &raw mut (*all).headers[index].msg_hdr;
                (*header).msg_name = (&raw mut (*all).names[index]).cast();
                (*header).msg_iov = &raw mut (*all).vectors[index];
                (*header).msg_iovlen = 1;
                (*header).msg_control = (&raw mut (*all).controls[index]).cast();
            }
            slots.expect(index);
        }
        slots
    }

    /// Prepares a slot for the next datagram: the kernel has overwritten the lengths in its header with those of the last
    /// one. Not for slots that were filled.
    #[inline]
    pub(crate) fn expect(&mut self, index: usize) {
        let arrays = self.arrays.as_ptr();
        // SAFETY: `arrays` lives as long as `self`, which is borrowed mutably; the index is checked.
        unsafe {
            let header = &raw mut (*arrays).headers[index].msg_hdr;
            (*header).msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            (*header).msg_controllen = size_of::<Control>() as _;
        }
    }

    /// Fills a slot with a datagram of two parts to send. False: it does not fit, and nothing was copied.
    #[inline]
    pub(crate) fn fill(&mut self, index: usize, to: SocketAddr, parts: [&[u8]; 2]) -> bool {
        let [first, second] = parts;
        let length = first.len() + second.len();
        if length > DATAGRAM_BYTES {
            return false;
        }
        let arrays = self.arrays.as_ptr();
        // SAFETY: `arrays` lives as long as `self`, which is borrowed mutably, so these are its only references; the index
        // is checked.
        let (bytes, name) = unsafe { (&mut (*arrays).datagrams[index], &mut (*arrays).names[index]) };
        bytes[..first.len()].copy_from_slice(first);
        bytes[first.len()..length].copy_from_slice(second);
        let name_length = write_name(name, to);
        // SAFETY: as above. Without control data its pointer may be null.
        unsafe {
            (*arrays).vectors[index].iov_len = length;
            let header = &raw mut (*arrays).headers[index].msg_hdr;
            (*header).msg_namelen = name_length;
            ((*header).msg_control, (*header).msg_controllen) = (ptr::null_mut(), 0);
        }
        true
    }

    /// Writes a destination address. Returns a pointer to it and its length, valid until the slot's address is written
    /// again.
    #[inline]
    pub(crate) fn address(
        &mut self,
        index: usize,
        to: SocketAddr,
    ) -> (*const libc::sockaddr, libc::socklen_t) {
        let arrays = self.arrays.as_ptr();
        // SAFETY: `arrays` lives as long as `self`, which is borrowed mutably; the index is checked; the reference ends
        // before the pointer is returned.
        let (name, length) = unsafe {
            let name = &raw mut (*arrays).names[index];
            (name, write_name(&mut *name, to))
        };
        (name.cast_const().cast(), length)
    }

    /// The header of a slot, and those after it, for a system call. They and all that they point at do not move while `self`
    /// lives.
    #[inline]
    pub(crate) fn headers(&mut self, first: usize) -> *mut libc::mmsghdr {
        let arrays = self.arrays.as_ptr();
        assert!(first < N, "there are {N} slots");
        // SAFETY: `arrays` is alive; the index is within the array.
        unsafe { (&raw mut (*arrays).headers).cast::<libc::mmsghdr>().add(first) }
    }

    /// The buffer of a slot: [`DATAGRAM_BYTES`] octets.
    #[inline]
    pub(crate) fn buffer(&mut self, index: usize) -> *mut u8 {
        let arrays = self.arrays.as_ptr();
        // SAFETY: `arrays` is alive; the index is checked.
        unsafe { (&raw mut (*arrays).datagrams[index]).cast() }
    }

    /// The length of the datagram in a slot, in octets, as `recvmmsg` reported it.
    #[inline]
    pub(crate) fn length(&self, index: usize) -> usize {
        // SAFETY: `arrays` is alive and not written while `self` is borrowed; the index is checked.
        unsafe { (*self.arrays.as_ptr()).headers[index].msg_len as usize }
    }

    /// The first `length` octets of a slot; empty if they fill it, because the datagram may then have been cut off.
    #[inline]
    pub(crate) fn bytes(&self, index: usize, length: usize) -> &[u8] {
        // SAFETY: as in `length`. The slice borrows `self`.
        let datagram = unsafe { &(*self.arrays.as_ptr()).datagrams[index] };
        if length < DATAGRAM_BYTES { &datagram[..length] } else { &[] }
    }

    /// The source of the datagram in a slot.
    #[inline]
    pub(crate) fn source(&self, index: usize) -> Option<SocketAddr> {
        // SAFETY: as in `length`.
        read_name(unsafe { &(*self.arrays.as_ptr()).names[index] })
    }

    /// When the kernel received the datagram in a slot, if it stamped it.
    #[inline]
    pub(crate) fn arrival_ns(&self, index: usize) -> Option<u64> {
        // SAFETY: as in `length`.
        let header = unsafe { &(*self.arrays.as_ptr()).headers[index].msg_hdr };
        // SAFETY: `header` points at the control memory of this slot, which is alive and aligned; the kernel filled it and
        // set its length, or `expect` did, with zeroes in it.
        let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
        while !message.is_null() {
            // SAFETY: not null, so a whole header within the control memory, as the macros promise.
            let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
            if level == libc::SOL_SOCKET && kind == libc::SCM_TIMESTAMPNS {
                // SAFETY: a message of this kind holds a `timespec`, not necessarily aligned.
                let time: libc::timespec = unsafe { ptr::read_unaligned(libc::CMSG_DATA(message).cast()) };
                return Some(
                    u64::try_from(time.tv_sec).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?,
                );
            }
            // SAFETY: `message` is a message of `header`.
            message = unsafe { libc::CMSG_NXTHDR(header, message) };
        }
        None
    }
}

impl<const N: usize> Drop for Slots<N> {
    fn drop(&mut self) {
        // SAFETY: from a box, and given back once. Each owner drops it after all system calls that use it.
        drop(unsafe { Box::from_raw(self.arrays.as_ptr()) });
    }
}

impl<const N: usize> fmt::Debug for Slots<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("count", &N).finish_non_exhaustive()
    }
}

/// An address that the kernel wrote.
#[inline]
fn read_name(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: of this family it is a `sockaddr_in`, which is smaller than the storage and no more aligned.
            let v4 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: of this family it is a `sockaddr_in6`, which is smaller than the storage and no more aligned.
            let v6 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let (port, scope) = (u16::from_be(v6.sin6_port), v6.sin6_scope_id);
            Some(match ip.to_ipv4_mapped() {
                Some(v4) => SocketAddrV4::new(v4, port).into(),
                // The flow label is not part of an address.
                None => SocketAddrV6::new(ip, port, 0, scope).into(),
            })
        }
        _ => None,
    }
}

#[inline]
fn write_name(name: &mut libc::sockaddr_storage, address: SocketAddr) -> libc::socklen_t {
    match address {
        SocketAddr::V4(address) => {
            // SAFETY: a `sockaddr_in` is smaller than the storage and no more aligned, and any octets are one.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = address.port().to_be();
            name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(address) => {
            // SAFETY: a `sockaddr_in6` is smaller than the storage and no more aligned, and any octets are one.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in6>() };
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = address.port().to_be();
            name.sin6_flowinfo = 0;
            name.sin6_addr.s6_addr = address.ip().octets();
            name.sin6_scope_id = address.scope_id();
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let mut slots = Slots::<2>::new();
        for (address, read) in [
            ("192.0.2.7:5060", "192.0.2.7:5060"),
            ("[2001:db8::7]:65535", "[2001:db8::7]:65535"),
            ("[fe80::7%3]:1", "[fe80::7%3]:1"),
            ("[::ffff:192.0.2.7]:5060", "192.0.2.7:5060"),
        ] {
            // The other kind was there before.
            slots.address(1, address.parse().expect("an address"));
            assert_eq!(slots.source(1), Some(read.parse().expect("an address")));
            assert_eq!(slots.source(0), None, "nothing was written there");
        }
    }

    #[test]
    fn a_datagram_that_fills_its_slot_is_received_empty() {
        let slots = Slots::<1>::new();
        assert_eq!(slots.bytes(0, DATAGRAM_BYTES - 1).len(), DATAGRAM_BYTES - 1);
        assert!(slots.bytes(0, DATAGRAM_BYTES).is_empty());
        assert!(slots.bytes(0, DATAGRAM_BYTES + 1).is_empty());
    }
}
