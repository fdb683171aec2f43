//! Session keys and their use (RFC 3711, 4; RFC 7714, 8 and 9).

use super::{MasterKey, SrtpError, Suite};
use aes::{
    Aes128, Aes256,
    cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper},
};
use aes_gcm::{AeadInPlace, Aes128Gcm, Aes256Gcm};
use ctr::{CtrCore, flavors::Ctr128BE};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::fmt;

/// RTP and RTCP use separate keys derived from the same master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Rtp,
    Rtcp,
}

/// Counter mode with a hash.
pub(super) struct CounterMode {
    aes: Aes128,
    salt: [u8; 14],
    hmac: Hmac<Sha1>,
}

/// Session keys. Ciphers contain tables, so they are boxed.
pub(super) enum Cipher {
    Cm(Box<CounterMode>),
    Gcm128 { gcm: Box<Aes128Gcm>, salt: [u8; 12] },
    Gcm256 { gcm: Box<Aes256Gcm>, salt: [u8; 12] },
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cm(_) => "Cm",
            Self::Gcm128 { .. } => "Gcm128",
            Self::Gcm256 { .. } => "Gcm256",
        })
    }
}

type Keystream<Aes> = StreamCipherCoreWrapper<CtrCore<Aes, Ctr128BE>>;

impl Cipher {
    pub(super) fn derive(master: &MasterKey, direction: Direction) -> Self {
        // Labels of RFC 3711, 4.3.2.
        let [encryption, authentication, salting] = match direction {
            Direction::Rtp => [0, 1, 2],
            Direction::Rtcp => [3, 4, 5],
        };
        match master.suite() {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                let (mut key, mut salt, mut auth) = ([0; 16], [0; 14], [0; 20]);
                derive(master, encryption, &mut key);
                derive(master, authentication, &mut auth);
                derive(master, salting, &mut salt);
                let hmac = <Hmac<Sha1> as Mac>::new_from_slice(&auth).expect("HMAC takes keys of any length");
                Self::Cm(Box::new(CounterMode { aes: Aes128::new(&key.into()), salt, hmac }))
            }
            Suite::AeadAes128Gcm => {
                let (mut key, mut salt) = ([0; 16], [0; 12]);
                derive(master, encryption, &mut key);
                derive(master, salting, &mut salt);
                Self::Gcm128 { gcm: Box::new(Aes128Gcm::new(&key.into())), salt }
            }
            Suite::AeadAes256Gcm => {
                let (mut key, mut salt) = ([0; 32], [0; 12]);
                derive(master, encryption, &mut key);
                derive(master, salting, &mut salt);
                Self::Gcm256 { gcm: Box::new(Aes256Gcm::new(&key.into())), salt }
            }
        }
    }

    /// Protects the packet that starts at `start` of `packet`; its first `clear` octets stay readable. `trailer`: E
    /// bit and index of RTCP.
    #[allow(clippy::too_many_arguments)] // All of them are the packet's; none is worth a struct of its own.
    pub(super) fn protect(
        &self,
        packet: &mut Vec<u8>,
        start: usize,
        clear: usize,
        ssrc: u32,
        index: u64,
        trailer: Option<u32>,
        tag_bytes: usize,
    ) {
        let trailer_bytes = trailer.map(u32::to_be_bytes);
        match self {
            Self::Cm(cm) => {
                keystream(&cm.aes, &cm.salt, ssrc, index).apply_keystream(&mut packet[start + clear..]);
                if let Some(bytes) = trailer_bytes {
                    packet.extend_from_slice(&bytes);
                }
                let tag = tag(&cm.hmac, &packet[start..], trailer.is_none().then_some(index));
                packet.extend_from_slice(&tag[..tag_bytes]);
            }
            Self::Gcm128 { .. } | Self::Gcm256 { .. } => {
                let nonce = self.nonce(ssrc, index, trailer.is_some());
                let (head, body) = packet[start..].split_at_mut(clear);
                let mut associated = Associated::new(head, trailer_bytes);
                let tag = match self {
                    Self::Gcm128 { gcm, .. } => {
                        gcm.encrypt_in_place_detached(&nonce.into(), associated.bytes(), body)
                    }
                    Self::Gcm256 { gcm, .. } => {
                        gcm.encrypt_in_place_detached(&nonce.into(), associated.bytes(), body)
                    }
                    Self::Cm(_) => return,
                };
                // Fails beyond 64 GiB only; nothing may be sent then.
                let Ok(tag) = tag else { return packet.truncate(start) };
                packet.extend_from_slice(&tag);
                if let Some(bytes) = trailer_bytes {
                    packet.extend_from_slice(&bytes);
                }
            }
        }
    }

    /// Authenticates and decrypts; returns the length of the packet without tag and trailer.
    pub(super) fn open(
        &self,
        packet: &mut [u8],
        clear: usize,
        ssrc: u32,
        index: u64,
        trailer: Option<u32>,
        tag_bytes: usize,
    ) -> Result<usize, SrtpError> {
        let trailer_bytes = trailer.map(u32::to_be_bytes);
        let around = tag_bytes + trailer_bytes.map_or(0, |bytes| bytes.len());
        let length = packet.len().checked_sub(around).filter(|length| *length >= clear);
        let length = length.ok_or(SrtpError::Malformed)?;
        match self {
            Self::Cm(cm) => {
                let (covered, theirs) = packet.split_at_mut(packet.len() - tag_bytes);
                let ours = tag(&cm.hmac, covered, trailer.is_none().then_some(index));
                if !is_same(&ours[..tag_bytes], theirs) {
                    return Err(SrtpError::NotAuthentic);
                }
                keystream(&cm.aes, &cm.salt, ssrc, index).apply_keystream(&mut covered[clear..length]);
            }
            Self::Gcm128 { .. } | Self::Gcm256 { .. } => {
                let nonce = self.nonce(ssrc, index, trailer.is_some());
                let (head, rest) = packet.split_at_mut(clear);
                let (body, behind) = rest.split_at_mut(length - clear);
                let tag: [u8; 16] = behind[..16].try_into().map_err(|_| SrtpError::Malformed)?;
                let (nonce, tag) = (&nonce.into(), &tag.into());
                let mut associated = Associated::new(head, trailer_bytes);
                match self {
                    Self::Gcm128 { gcm, .. } => {
                        gcm.decrypt_in_place_detached(nonce, associated.bytes(), body, tag)
                    }
                    Self::Gcm256 { gcm, .. } => {
                        gcm.decrypt_in_place_detached(nonce, associated.bytes(), body, tag)
                    }
                    Self::Cm(_) => return Err(SrtpError::Malformed),
                }
                .map_err(|_| SrtpError::NotAuthentic)?;
            }
        }
        Ok(length)
    }

    /// Octets after the MKI: the tag, which with GCM is part of the ciphertext.
    pub(super) fn behind_mki(&self, tag_bytes: usize) -> usize {
        match self {
            Self::Cm(_) => tag_bytes,
            Self::Gcm128 { .. } | Self::Gcm256 { .. } => 0,
        }
    }

    /// E bit and index of an RTCP packet: before the tag in counter mode, after it with GCM.
    pub(super) fn trailer(&self, packet: &[u8], tag_bytes: usize) -> Option<u32> {
        let end = match self {
            Self::Cm(_) => packet.len().checked_sub(tag_bytes)?,
            Self::Gcm128 { .. } | Self::Gcm256 { .. } => packet.len(),
        };
        let bytes = packet.get(end.checked_sub(4)?..end)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// RFC 7714, 8.1 and 9.1.
    fn nonce(&self, ssrc: u32, index: u64, is_rtcp: bool) -> [u8; 12] {
        let (Self::Gcm128 { salt, .. } | Self::Gcm256 { salt, .. }) = self else { return [0; 12] };
        let mut nonce = [0; 12];
        nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
        if is_rtcp {
            nonce[8..].copy_from_slice(&(index as u32).to_be_bytes());
        } else {
            nonce[6..].copy_from_slice(&index.to_be_bytes()[2..]);
        }
        nonce.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
        nonce
    }
}

/// What GCM authenticates beside the ciphertext: the clear header, and for RTCP the trailer after it.
struct Associated<'a> {
    head: &'a [u8],
    joined: Option<[u8; 12]>,
}

impl<'a> Associated<'a> {
    fn new(head: &'a [u8], trailer: Option<[u8; 4]>) -> Self {
        let joined = trailer.and_then(|trailer| {
            let mut joined = [0; 12];
            joined[..8].copy_from_slice(head.get(..8)?);
            joined[8..].copy_from_slice(&trailer);
            Some(joined)
        });
        Self { head, joined }
    }

    fn bytes(&mut self) -> &[u8] {
        match &self.joined {
            Some(joined) => joined,
            None => self.head,
        }
    }
}

/// The key stream of a packet (RFC 3711, 4.1.1).
fn keystream(aes: &Aes128, salt: &[u8; 14], ssrc: u32, index: u64) -> Keystream<Aes128> {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    iv[4..8].iter_mut().zip(ssrc.to_be_bytes()).for_each(|(byte, bits)| *byte ^= bits);
    iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]).for_each(|(byte, bits)| *byte ^= bits);
    Keystream::from_core(CtrCore::inner_iv_init(aes.clone(), &iv.into()))
}

/// The tag of a packet. `index`: for RTP, whose rollover counter is authenticated though it is not sent (4.2).
fn tag(hmac: &Hmac<Sha1>, covered: &[u8], index: Option<u64>) -> [u8; 20] {
    let mut hmac = hmac.clone();
    hmac.update(covered);
    if let Some(index) = index {
        hmac.update(&((index >> 16) as u32).to_be_bytes());
    }
    hmac.finalize().into_bytes().into()
}

/// Compares in constant time.
fn is_same(ours: &[u8], theirs: &[u8]) -> bool {
    let difference = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
    ours.len() == theirs.len() && std::hint::black_box(difference) == 0
}

/// Derives a session key: the key stream of the master key at the position of its label (4.3.1, 4.3.3).
fn derive(master: &MasterKey, label: u8, out: &mut [u8]) {
    let (key, salt) = master.key_and_salt().split_at(master.suite().key_bytes());
    let mut iv = [0; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label;
    out.fill(0);
    match key.len() {
        32 => {
            let aes = Aes256::new_from_slice(key).expect("256 bits");
            Keystream::from_core(CtrCore::inner_iv_init(aes, &iv.into())).apply_keystream(out);
        }
        _ => {
            let aes = Aes128::new_from_slice(key).expect("128 bits");
            Keystream::from_core(CtrCore::inner_iv_init(aes, &iv.into())).apply_keystream(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// RFC 3711, B.3.
    #[test]
    fn keys_are_derived_as_in_the_rfc() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
        let (mut key, mut salt, mut auth) = ([0; 16], [0; 14], [0; 20]);
        derive(&master, 0, &mut key);
        derive(&master, 2, &mut salt);
        derive(&master, 1, &mut auth);
        assert_eq!(key[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(auth[..], hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// RFC 3711, B.2.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let aes = Aes128::new_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let mut stream = [0; 48];
        keystream(&aes, &salt, 0, 0).apply_keystream(&mut stream);
        assert_eq!(
            stream[..],
            hex(
                "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"
            )
        );
    }

    /// RFC 7714, 16.1.1: session key and salt, so the derivation is left out.
    #[test]
    fn gcm_is_that_of_the_rfc() {
        let cipher = Cipher::Gcm128 {
            gcm: Box::new(Aes128Gcm::new_from_slice(&hex("000102030405060708090a0b0c0d0e0f")).unwrap()),
            salt: hex("517569642070726f2071756f").try_into().unwrap(),
        };
        let head = hex("8040f17b 8041f8d3 5501a0b2");
        let mut packet = [
            head,
            hex("47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573"),
        ]
        .concat();
        let plain = packet.clone();
        cipher.protect(&mut packet, 0, 12, 0x5501_a0b2, 0xf17b, None, 16);
        assert_eq!(
            packet[12..],
            hex(
                "f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833 899d7f27 beb16a91 52cf765e e4390cce"
            )
        );
        assert_eq!(cipher.open(&mut packet, 12, 0x5501_a0b2, 0xf17b, None, 16), Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain);
    }
}
