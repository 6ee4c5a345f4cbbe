//! Records a device: walks what the allow-list permits, scrubs what names people and places, and writes a recording.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::conversation::{Ask, Conversation, Failure};
use crate::oid::Oid;
use crate::privacy::AllowList;
use crate::profile::{Profile, ProfileSet, Source};
use crate::value::{Value, ValueRef};

/// The most rows taken of one subtree.
const ROWS_MAX: u32 = 2000;

/// How many subtrees one ask walks.
const COLUMNS_PER_ASK: usize = 8;

/// The shortest name that is looked for in other texts too: anything shorter is part of many words.
const NAME_BYTES_MIN: usize = 4;

/// What is scrubbed in every recording whatever the profiles say: contact, name and place (of system), prtGeneralPrinterName. The addresses
/// of neighbours are never walked.
const NAMES: [&[u32]; 4] = [
    &[1, 3, 6, 1, 2, 1, 1, 4, 0],
    &[1, 3, 6, 1, 2, 1, 1, 5, 0],
    &[1, 3, 6, 1, 2, 1, 1, 6, 0],
    &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 16],
];

/// prtConsoleDisplayBufferText: what stands on the panel.
const PANEL: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 16, 5, 1, 2];

/// A conversation that walks what the allow-list permits and keeps it: what `platen-agent record` runs against a device.
#[derive(Debug)]
pub struct Recorder {
    allowed: Arc<AllowList>,
    /// Still to be asked, the last first.
    asks: Vec<Ask>,
    kept: BTreeMap<Oid, Value>,
    /// Below these a device says what people call it, or where it is.
    names: Vec<Oid>,
    /// Below these it says what stands on its panel: mostly what it is doing, but also whose job it is doing.
    panels: Vec<Oid>,
    failure: Option<Failure>,
}

impl Recorder {
    /// Records what `profiles` may ever ask for.
    #[must_use]
    pub fn new(profiles: &ProfileSet) -> Self {
        let allowed = Arc::clone(profiles.allowed());
        let mut names: Vec<Oid> = NAMES.iter().map(|arcs| Oid::new(arcs)).collect();
        let mut panels = vec![Oid::new(PANEL)];
        for profile in profiles.iter() {
            let identity = &profile.identity;
            for source in identity.hostname.iter().chain(&identity.asset) {
                subtrees_of(profile, source, &mut names);
            }
            for source in &profile.status.display {
                subtrees_of(profile, source, &mut panels);
            }
        }
        let subtrees = allowed
            .list()
            .into_iter()
            .map(|allowed| allowed.subtree)
            .collect::<Vec<_>>();
        // A scalar's instance is no column: what ends in an instance is asked for as it is.
        let mut asks = subtrees
            .chunks(COLUMNS_PER_ASK)
            .map(|columns| Ask::Walk {
                columns: columns.to_vec(),
                rows_expected: 0,
                rows_max: ROWS_MAX,
            })
            .collect::<Vec<_>>();
        asks.push(Ask::Get(subtrees));
        asks.reverse();
        Self {
            allowed,
            asks,
            kept: BTreeMap::new(),
            names,
            panels,
            failure: None,
        }
    }

    /// Why not everything was read, if so.
    #[must_use]
    pub const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// The recording as text. Contact, names, asset number, place and what stands on the panel are scrubbed; serial numbers, MACs and addresses become others of the
    /// same shape, the same for the same, so that the recording still hangs together.
    #[must_use]
    pub fn into_text(self) -> String {
        let secrets = self.secrets();
        let mut text = String::new();
        for (oid, value) in &self.kept {
            let line = match value {
                Value::OctetString(octets)
                    if is_below(oid, &self.names) || is_below(oid, &self.panels) =>
                {
                    string(if octets.is_empty() { b"" } else { b"<private>" })
                }
                Value::OctetString(octets) if is_hardware_address(oid) => {
                    string(&scrubbed_mac(octets))
                }
                Value::OctetString(octets) => string(&scrubbed(octets, &secrets)),
                Value::Integer(n) => format!("2|{n}"),
                Value::Null => "5|".to_owned(),
                Value::ObjectId(value) => format!("6|{value}"),
                Value::IpAddress(_) => "64|192.0.2.1".to_owned(),
                Value::Counter32(n) => format!("65|{n}"),
                Value::Gauge32(n) => format!("66|{n}"),
                Value::TimeTicks(n) => format!("67|{n}"),
                Value::Opaque(octets) => format!("68x|{}", hexadecimal(octets)),
                Value::Counter64(n) => format!("70|{n}"),
            };
            // Where an address is an index, the row is left out: it would tell the address.
            if !names_an_address(oid) {
                writeln!(text, "{oid}|{line}").expect("a String takes everything");
            }
        }
        text
    }

    /// Serial numbers and names, wherever else they may stand.
    fn secrets(&self) -> Vec<Vec<u8>> {
        let places = ["1.3.6.1.2.1.43.5.1.1.17", "1.3.6.1.4.1"];
        let places = places.map(|text| text.parse::<Oid>().expect("a constant"));
        let serial_like = |octets: &Vec<u8>| {
            let digits = octets.iter().filter(|byte| byte.is_ascii_digit()).count();
            (7..=24).contains(&octets.len())
                && digits * 2 >= octets.len()
                && octets.iter().all(u8::is_ascii_alphanumeric)
        };
        let mut secrets = Vec::new();
        for (oid, value) in &self.kept {
            if let Value::OctetString(octets) = value {
                let core = octets.strip_prefix(&[1, 0x15]).unwrap_or(octets).to_vec();
                let serial = oid.suffix_of(&places[0]).is_some() && core.len() >= 4;
                let private = oid.suffix_of(&places[1]).is_some() && serial_like(&core);
                let name = is_below(oid, &self.names) && core.len() >= NAME_BYTES_MIN;
                if serial || private || name {
                    secrets.push(core);
                }
            }
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        secrets
    }
}

fn is_below(oid: &Oid, subtrees: &[Oid]) -> bool {
    subtrees
        .iter()
        .any(|subtree| oid.suffix_of(subtree).is_some())
}

/// Where a profile's source is read.
fn subtrees_of(profile: &Profile, source: &Source, subtrees: &mut Vec<Oid>) {
    source.each(&mut |source| match source {
        Source::Scalar { oid, .. } | Source::Column(oid) => subtrees.push(oid.clone()),
        Source::Row { table, column, .. } => {
            let table = profile.table.get(table);
            let value = table.and_then(|table| table.value.clone());
            subtrees.extend(column.clone().or(value));
        }
        Source::Sum { .. } | Source::First(_) => {}
    });
}

fn is_hardware_address(oid: &Oid) -> bool {
    oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 6])
}

fn names_an_address(oid: &Oid) -> bool {
    oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 4, 20])
}

/// Another string of the same shape: letters stay letters, digits digits.
fn disguised(secret: &[u8]) -> Vec<u8> {
    let digest = Sha256::digest(secret);
    let letters = secret.iter().zip(digest.iter().cycle());
    letters
        .map(|(byte, random)| match byte {
            b'0'..=b'9' => b'0' + random % 10,
            b'A'..=b'Z' => b'A' + random % 26,
            b'a'..=b'z' => b'a' + random % 26,
            other => *other,
        })
        .collect()
}

fn scrubbed(octets: &[u8], secrets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = octets.to_vec();
    for secret in secrets {
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&out[from..], secret) {
            let at = from + at;
            out[at..at + secret.len()].copy_from_slice(&disguised(secret));
            from = at + secret.len();
        }
    }
    out
}

/// The maker's half stays: it says what network card it is.
fn scrubbed_mac(octets: &[u8]) -> Vec<u8> {
    let digest = Sha256::digest(octets);
    let kept = |(index, byte): (usize, &u8)| {
        if index < 3 || octets.iter().all(|byte| *byte == 0) {
            *byte
        } else {
            digest[index % 32]
        }
    };
    octets.iter().enumerate().map(kept).collect()
}

fn string(octets: &[u8]) -> String {
    let printable = octets.iter().all(|byte| (0x20..0x7f).contains(byte))
        && octets.first() != Some(&b' ')
        && octets.last() != Some(&b' ');
    if printable {
        format!(
            "4|{}",
            octets
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
        )
    } else {
        format!("4x|{}", hexadecimal(octets))
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Conversation for Recorder {
    fn next_ask(&mut self) -> Option<Ask> {
        self.asks.pop()
    }

    fn variable(&mut self, _ask_index: usize, oid: &Oid, value: ValueRef<'_>) {
        if self.allowed.permits(oid)
            && self.kept.len() < super::VARIABLES_MAX
            && let Some(value) = value.to_value()
        {
            self.kept.insert(oid.clone(), value);
        }
    }

    fn answered(&mut self, failure: Option<Failure>) {
        if let Some(failure) = failure {
            self.failure = Some(failure);
            if matches!(failure, Failure::Timeout | Failure::Authentication) && self.kept.is_empty()
            {
                self.asks.clear();
            }
        }
    }
}
