//! Ogg pages (RFC 3533) with Opus (RFC 7845): written as a recorder needs them, and found again in what a crash has left.
//!
//! A page holds ten packets of 20 ms. What is on the disk ends with a whole page at any moment, so a player loses 200 ms at the
//! most.

/// Packets of a page: 200 ms.
pub(crate) const PACKETS_PER_PAGE: usize = 10;
/// Samples of a packet at 48 kHz.
pub(crate) const PACKET_SAMPLES: u64 = 960;
/// Octets of a page header before its segment table.
const HEADER_BYTES: usize = 27;
/// Octets of the longest page (RFC 3533, section 6).
pub(crate) const PAGE_BYTES_MAX: usize = HEADER_BYTES + 255 + 255 * 255;
const CAPTURE: &[u8; 4] = b"OggS";
/// Flags of the header type: the first page of a stream, and its last.
const FIRST: u8 = 2;
const LAST: u8 = 4;
/// The granule position of a page on which no packet ends.
const NO_GRANULE: u64 = u64::MAX;

/// CRC-32 with the polynomial 0x04c11db7, neither reflected nor inverted (RFC 3533, section 6).
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let (mut crc, mut bit) = ((octet as u32) << 24, 0);
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[octet] = crc;
        octet += 1;
    }
    table
};

fn crc(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| crc << 8 ^ CRC[usize::from((crc >> 24) as u8 ^ byte)])
}

/// The CRC of a page: over all of it, its own field taken as zero.
fn page_crc(page: &[u8]) -> u32 {
    let with_head = crc(0, &page[..22]);
    crc(crc(with_head, &[0; 4]), &page[26..])
}

/// Builds the pages of one stream.
#[derive(Debug)]
pub(crate) struct Pages {
    serial: u32,
    sequence: u32,
    /// Samples up to the end of the page, pre-skip included.
    granule: u64,
    lacing: Vec<u8>,
    body: Vec<u8>,
    packets: usize,
    page: Vec<u8>,
}

impl Pages {
    pub(crate) fn new(serial: u32) -> Self {
        Self {
            serial,
            sequence: 0,
            granule: 0,
            lacing: Vec::with_capacity(255),
            body: Vec::with_capacity(4096),
            packets: 0,
            page: Vec::with_capacity(4096),
        }
    }

    /// The two header pages (RFC 7845, section 3): `pre_skip` is the delay of the encoder, in samples.
    pub(crate) fn headers(&mut self, pre_skip: u16) -> Vec<u8> {
        let mut head = Vec::from(*b"OpusHead");
        // Version 1, mono; the rate of the input is for information only.
        head.extend([1, 1]);
        head.extend(pre_skip.to_le_bytes());
        head.extend(48_000_u32.to_le_bytes());
        // No gain, mapping family 0.
        head.extend([0, 0, 0]);
        let vendor = concat!("Plenary ", env!("CARGO_PKG_VERSION")).as_bytes();
        let mut tags = Vec::from(*b"OpusTags");
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend(0_u32.to_le_bytes());
        let mut pages = Vec::new();
        for (packet, flags) in [(head, FIRST), (tags, 0)] {
            self.add(&packet);
            pages.extend_from_slice(self.close(flags, 0));
        }
        self.granule = 0;
        pages
    }

    /// Adds a packet of 20 ms. True: the page is full.
    pub(crate) fn push(&mut self, packet: &[u8]) -> bool {
        self.add(packet);
        self.granule += PACKET_SAMPLES;
        // A packet of 1275 octets needs six segments.
        self.packets >= PACKETS_PER_PAGE || self.lacing.len() > 255 - 6
    }

    fn add(&mut self, packet: &[u8]) {
        self.lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.lacing.push((packet.len() % 255) as u8);
        self.body.extend_from_slice(packet);
        self.packets += 1;
    }

    /// The page of what was added.
    pub(crate) fn page(&mut self) -> &[u8] {
        self.close(0, self.granule)
    }

    /// The last page of the stream, which plays `samples`, pre-skip included.
    pub(crate) fn last_page(&mut self, samples: u64) -> &[u8] {
        self.close(LAST, samples.min(self.granule))
    }

    fn close(&mut self, flags: u8, granule: u64) -> &[u8] {
        self.page.clear();
        self.page.extend_from_slice(CAPTURE);
        self.page.extend([0, flags]);
        self.page.extend(granule.to_le_bytes());
        self.page.extend(self.serial.to_le_bytes());
        self.page.extend(self.sequence.to_le_bytes());
        self.page.extend([0; 4]);
        self.page.push(self.lacing.len() as u8);
        self.page.extend_from_slice(&self.lacing);
        self.page.extend_from_slice(&self.body);
        let crc = page_crc(&self.page);
        self.page[22..26].copy_from_slice(&crc.to_le_bytes());
        self.sequence += 1;
        self.lacing.clear();
        self.body.clear();
        self.packets = 0;
        &self.page
    }
}

/// A whole page with a good CRC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    bytes: &'a [u8],
}

impl<'a> Page<'a> {
    /// The page at the beginning of these octets; `None`: there is no whole one.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?;
        if &header[..4] != CAPTURE || header[4] != 0 {
            return None;
        }
        let segments = usize::from(header[26]);
        let lacing = bytes.get(HEADER_BYTES..HEADER_BYTES + segments)?;
        let body: usize = lacing.iter().map(|length| usize::from(*length)).sum();
        let bytes = bytes.get(..HEADER_BYTES + segments + body)?;
        let stored = u32::from_le_bytes(header[22..26].try_into().ok()?);
        (page_crc(bytes) == stored).then_some(Self { bytes })
    }

    pub(crate) fn len(self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn serial(self) -> u32 {
        u32::from_le_bytes(self.field(14))
    }

    /// Samples up to its end, pre-skip included; `None`: no packet ends on it.
    pub(crate) fn granule(self) -> Option<u64> {
        let granule = u64::from_le_bytes(self.field(6));
        (granule != NO_GRANULE).then_some(granule)
    }

    pub(crate) fn is_last(self) -> bool {
        self.bytes[5] & LAST != 0
    }

    fn field<const N: usize>(self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[at..at + N]);
        field
    }

    /// The same as the last page of its stream.
    pub(crate) fn ended(self) -> Vec<u8> {
        let mut page = self.bytes.to_vec();
        page[5] |= LAST;
        let crc = page_crc(&page);
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// Its packets. Ours never continue on another page.
    pub(crate) fn packets(self) -> impl Iterator<Item = &'a [u8]> {
        let segments = usize::from(self.bytes[26]);
        let lacing = &self.bytes[HEADER_BYTES..HEADER_BYTES + segments];
        let mut body = &self.bytes[HEADER_BYTES + segments..];
        let mut lacing = lacing.iter();
        std::iter::from_fn(move || {
            let mut length = 0;
            loop {
                let segment = *lacing.next()?;
                length += usize::from(segment);
                if segment < 255 {
                    break;
                }
            }
            let (packet, rest) = body.split_at_checked(length)?;
            body = rest;
            Some(packet)
        })
    }
}

/// The pre-skip of a stream by its first packet; `None`: it is not Opus.
pub(crate) fn pre_skip(packet: &[u8]) -> Option<u16> {
    (packet.starts_with(b"OpusHead") && packet.len() >= 19)
        .then(|| u16::from_le_bytes([packet[10], packet[11]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_can_be_read_and_no_changed_octet_goes_unnoticed() {
        let mut pages = Pages::new(7);
        let mut file = pages.headers(312);
        for number in 0..20_u8 {
            if pages.push(&vec![number; 300 + usize::from(number)]) {
                file.extend_from_slice(pages.page());
            }
        }
        let head = Page::read(&file).expect("a page");
        assert_eq!(head.packets().next().and_then(pre_skip), Some(312));
        assert_eq!((head.granule(), head.bytes[5]), (Some(0), FIRST));
        let mut at = head.len();
        at += Page::read(&file[at..]).expect("the tags").len();
        let first = Page::read(&file[at..]).expect("the first page of audio");
        assert_eq!((first.granule(), first.serial(), first.is_last()), (Some(9600), 7, false));
        let lengths: Vec<_> = first.packets().map(<[u8]>::len).collect();
        assert_eq!(lengths, (300..310).collect::<Vec<_>>());
        assert!(
            first.packets().enumerate().all(|(number, packet)| packet.iter().all(|x| *x == number as u8))
        );
        for octet in 0..first.len() {
            let mut bad = file[at..at + first.len()].to_vec();
            bad[octet] ^= 0x10;
            let read = Page::read(&bad);
            assert!(read.is_none(), "octet {octet}");
            assert!(Page::read(&file[at..at + octet]).is_none(), "cut at {octet}");
        }
        let ended = first.ended();
        assert!(Page::read(&ended).expect("still good").is_last());
    }

    /// The check value of CRC-32/CKSUM without its final inversion and length.
    #[test]
    fn the_crc_is_that_of_rfc_3533() {
        assert_eq!(crc(0, b"123456789"), 0x89a1_897f);
    }
}
