//! The little BER that a printer needs: reading an SNMPv1/v2c request, writing the response (RFC 1157, RFC 3416).
//!
//! Requests are borrowed from the receive buffer; responses go into a reused one. What is not a GET, GETNEXT or GETBULK with
//! a known community is answered with silence, as printers do.

/// The kinds of request that printers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GetRequest
    Get,
    /// GetNextRequest
    GetNext,
    /// GetBulkRequest, with how many of its variables are asked once and how often the others are repeated
    GetBulk {
        /// non-repeaters
        non_repeaters: usize,
        /// max-repetitions
        max_repetitions: usize,
    },
}

/// A request, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// 0 for v1, 1 for v2c.
    pub version: u8,
    /// The community.
    pub community: &'a [u8],
    /// What is asked.
    pub kind: Kind,
    /// The request id's content octets, echoed as they are.
    pub request_id: &'a [u8],
    /// The variable bindings, still encoded.
    pub bindings: Bindings<'a>,
}

/// The OIDs of a request, as BER content octets.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a>(&'a [u8]);

impl<'a> Bindings<'a> {
    /// What is left of the list, as it came.
    #[must_use]
    pub const fn encoded(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for Bindings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut binding = Reader(take(&mut self.0, 0x30)?);
        binding.take(0x06)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        take(&mut self.0, tag)
    }

    fn small(&mut self) -> Option<u64> {
        let content = self.take(0x02)?;
        (content.len() <= 4 && content.first().is_some_and(|first| first & 0x80 == 0)).then(|| {
            content
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        })
    }
}

fn take<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&[found, first], after) = rest.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        0x81..=0x83 => {
            let (octets, after) = after.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets
                .iter()
                .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            (length, after)
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(content)
}

/// Reads a request; `None` for anything that a printer would not answer.
#[must_use]
pub fn read_request(datagram: &[u8]) -> Option<Request<'_>> {
    let mut message = Reader(Reader(datagram).take(0x30)?);
    let version = u8::try_from(message.small()?).ok()?;
    let community = message.take(0x04)?;
    let tag = *message.0.first()?;
    if version > 1 || !matches!(tag, 0xa0 | 0xa1 | 0xa5) || (version == 0 && tag == 0xa5) {
        return None;
    }
    let mut pdu = Reader(message.take(tag)?);
    let request_id = pdu.take(0x02)?;
    let (first, second) = (pdu.small()?, pdu.small()?);
    let kind = match tag {
        0xa0 => Kind::Get,
        0xa1 => Kind::GetNext,
        _ => Kind::GetBulk {
            non_repeaters: usize::try_from(first).ok()?,
            max_repetitions: usize::try_from(second).ok()?,
        },
    };
    Some(Request {
        version,
        community,
        kind,
        request_id,
        bindings: Bindings(pdu.take(0x30)?),
    })
}

/// A value to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written<'a> {
    /// INTEGER
    Integer(i64),
    /// Counter32
    Counter(u64),
    /// Gauge32
    Gauge(u64),
    /// TimeTicks
    Ticks(u32),
    /// OCTET STRING
    Octets(&'a [u8]),
    /// OBJECT IDENTIFIER, already encoded
    ObjectId(&'a [u8]),
    /// noSuchInstance
    NoSuchInstance,
    /// endOfMibView
    EndOfMibView,
    /// NULL, in the error answers of version 1
    Null,
}

/// The longest answer that can be written; printers send much shorter ones.
const WRITER_BYTES: usize = 32 * 1024;

/// Writes a response back to front: every length is known when its header is written, and nothing is moved.
#[derive(Debug)]
pub struct Writer {
    bytes: Box<[u8]>,
    /// What is written stands from here to the end.
    start: usize,
    is_overfull: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            bytes: vec![0; WRITER_BYTES].into(),
            start: WRITER_BYTES,
            is_overfull: false,
        }
    }
}

impl Writer {
    /// Forgets what was written and keeps the memory.
    pub const fn clear(&mut self) {
        self.start = self.bytes.len();
        self.is_overfull = false;
    }

    /// Octets written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing is written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Whether more was written than there is room for; what is there is then of no use.
    #[must_use]
    pub const fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// Adds a variable binding in front of those already written: call it for the last variable first.
    pub fn push_binding(&mut self, oid: &[u8], value: Written<'_>) {
        let end = self.len();
        match value {
            Written::Integer(n) => self.push_signed(0x02, n),
            Written::Counter(n) => self.push_unsigned(0x41, n & 0xffff_ffff),
            Written::Gauge(n) => self.push_unsigned(0x42, n & 0xffff_ffff),
            Written::Ticks(n) => self.push_unsigned(0x43, u64::from(n)),
            Written::Octets(octets) => self.push_tlv(0x04, octets),
            Written::ObjectId(octets) => self.push_tlv(0x06, octets),
            Written::NoSuchInstance => self.push_tlv(0x81, &[]),
            Written::EndOfMibView => self.push_tlv(0x82, &[]),
            Written::Null => self.push_tlv(0x05, &[]),
        }
        self.push_tlv(0x06, oid);
        self.push_header(0x30, self.len() - end);
    }

    /// Closes the response to `request`, turns it the right way round and gives it out.
    pub fn finish(&mut self, request: &Request<'_>, error_status: u8, error_index: u8) -> &[u8] {
        self.push_header(0x30, self.len());
        self.push_tlv(0x02, &[error_index]);
        self.push_tlv(0x02, &[error_status]);
        self.push_tlv(0x02, request.request_id);
        self.push_header(0xa2, self.len());
        self.push_tlv(0x04, request.community);
        self.push_tlv(0x02, &[request.version]);
        self.push_header(0x30, self.len());
        &self.bytes[self.start..]
    }

    fn push_tlv(&mut self, tag: u8, content: &[u8]) {
        self.push(content);
        self.push_header(tag, content.len());
    }

    fn push_header(&mut self, tag: u8, length: usize) {
        let [.., high, low] = length.to_be_bytes();
        if length < 0x80 {
            self.push(&[tag, low]);
        } else if length < 0x100 {
            self.push(&[tag, 0x81, low]);
        } else {
            self.push(&[tag, 0x82, high, low]);
        }
    }

    /// Puts octets in front of what is there.
    fn push(&mut self, octets: &[u8]) {
        match self.start.checked_sub(octets.len()) {
            Some(start) => {
                self.bytes[start..self.start].copy_from_slice(octets);
                self.start = start;
            }
            None => self.is_overfull = true,
        }
    }

    fn push_signed(&mut self, tag: u8, value: i64) {
        let octets = value.to_be_bytes();
        let mut from = 0;
        while from < 7
            && (octets[from] == 0 && octets[from + 1] < 0x80
                || octets[from] == 0xff && octets[from + 1] >= 0x80)
        {
            from += 1;
        }
        self.push_tlv(tag, &octets[from..]);
    }

    fn push_unsigned(&mut self, tag: u8, value: u64) {
        // A 32-bit value never reaches the sign bit of 64.
        self.push_signed(tag, i64::try_from(value).unwrap_or(i64::MAX));
    }
}

/// The content octets of a dotted OID; `None` when it is none.
#[must_use]
pub fn encode_oid(dotted: &str) -> Option<Vec<u8>> {
    let arcs = dotted
        .split('.')
        .map(str::parse)
        .collect::<Result<Vec<u32>, _>>()
        .ok()?;
    let [first @ 0..=2, second @ 0..=39, rest @ ..] = arcs.as_slice() else {
        return None;
    };
    let mut octets = vec![u8::try_from(first * 40 + second).ok()?];
    for arc in rest {
        let groups = (1..5).find(|groups| arc >> (7 * groups) == 0).unwrap_or(5);
        for group in (0..groups).rev() {
            let septet = u8::try_from(arc >> (7 * group) & 0x7f).expect("seven bits");
            octets.push(if group > 0 { septet | 0x80 } else { septet });
        }
    }
    Some(octets)
}

/// The arcs of an OID's content octets, for ordering; malformed octets end it.
#[must_use]
pub fn arcs(content: &[u8]) -> Vec<u32> {
    let mut arcs = Vec::with_capacity(content.len() + 1);
    let mut arc = 0_u32;
    for octet in content {
        arc = arc << 7 | u32::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.extend([first, arc - first * 40]);
            } else {
                arcs.push(arc);
            }
            arc = 0;
        }
    }
    arcs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oid_is_encoded_as_x690_has_it() {
        assert_eq!(
            encode_oid("1.3.6.1.4.1.1347.41").unwrap(),
            [0x2b, 6, 1, 4, 1, 0x8a, 0x43, 41]
        );
        assert_eq!(
            arcs(&[0x2b, 6, 1, 4, 1, 0x8a, 0x43, 41]),
            [1, 3, 6, 1, 4, 1, 1347, 41]
        );
        assert_eq!(encode_oid("1.3.x"), None);
    }

    #[test]
    fn a_get_is_read_and_its_answer_written() {
        let request = [
            0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x19, 2, 1, 7, 2,
            1, 0, 2, 1, 0, 0x30, 0x0e, 0x30, 0x0c, 6, 8, 0x2b, 6, 1, 2, 1, 1, 5, 0, 5, 0,
        ];
        let request = read_request(&request).unwrap();
        assert_eq!(
            (request.kind, request.community),
            (Kind::Get, &b"public"[..])
        );
        let oids = request.bindings.collect::<Vec<_>>();
        assert_eq!(oids, [[0x2b, 6, 1, 2, 1, 1, 5, 0]]);
        let mut writer = Writer::default();
        writer.push_binding(oids[0], Written::Integer(-3));
        assert_eq!(
            writer.finish(&request, 0, 0),
            [
                0x30, 0x27, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa2, 0x1a, 2, 1, 7,
                2, 1, 0, 2, 1, 0, 0x30, 0x0f, 0x30, 0x0d, 6, 8, 0x2b, 6, 1, 2, 1, 1, 5, 0, 2, 1,
                0xfd
            ]
        );
    }

    #[test]
    fn what_is_no_request_is_not_answered() {
        assert!(read_request(&[]).is_none());
        assert!(read_request(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none());
        assert!(read_request(&[0x30, 3, 2, 1, 3]).is_none());
    }
}
