//! One printer's answer to one request: GET, GETNEXT and GETBULK over its MIB, as RFC 1157 and RFC 3416 have them.
//!
//! A poller asks all printers of a model the same GET, again and again: where its variables are found is looked up once and kept
//! ([`Responder`]). Such an answer allocates nothing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use super::ber::{Kind, Request, Writer, Written};
use super::mib::{Asked, Mib};
use super::printer::{Printer, mix};

/// Longest answer: printers stay below what needs no IP fragments, and say `tooBig` beyond.
const ANSWER_BYTES_MAX: usize = 1400;
/// Variables in one GETBULK answer.
const BULK_VARIABLES_MAX: usize = 200;
/// GETs that are remembered per face: a poller has a handful for each model; beyond, all are forgotten.
const PLANS_MAX: usize = 512;

/// Answers requests, with memory that is used again.
#[derive(Debug, Default)]
pub struct Responder {
    writer: Writer,
    text: Vec<u8>,
    /// By face.
    faces: Vec<Plans>,
}

/// The GETs of one face.
#[derive(Debug, Default)]
struct Plans {
    by_bindings: HashMap<Box<[u8]>, usize, BuildHasherDefault<Fold>>,
    plans: Vec<Plan>,
}

impl Plans {
    fn of(&mut self, mib: &Mib, request: &Request<'_>) -> &Plan {
        let bindings = request.bindings.encoded();
        let known = self.by_bindings.get(bindings).copied();
        let at = known.unwrap_or_else(|| {
            if self.plans.len() >= PLANS_MAX {
                *self = Self::default();
            }
            self.plans.push(plan(mib, request));
            self.by_bindings
                .insert(bindings.into(), self.plans.len() - 1);
            self.plans.len() - 1
        });
        &self.plans[at]
    }
}

/// Of each variable, where its OID stands in the bindings, and where its value is in the MIB.
type Plan = Box<[(Range<usize>, Option<usize>)]>;

/// A fast hash of some hundred bytes; what collides on purpose slows nobody but the sender's own test.
#[derive(Debug, Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word);
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        for byte in rest {
            self.0 = (self.0.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

impl Responder {
    /// The answer of one printer to one request.
    pub fn respond(
        &mut self,
        mib: &Mib,
        printer: &Printer,
        request: &Request<'_>,
        now_unix_ms: i64,
    ) -> &[u8] {
        let mut asked = Asked::new(printer, now_unix_ms, std::mem::take(&mut self.text));
        let complete = if request.kind == Kind::Get {
            if self.faces.len() <= printer.face {
                self.faces.resize_with(printer.face + 1, Plans::default);
            }
            let plan = self.faces[printer.face].of(mib, request);
            write_get(&mut self.writer, mib, plan, request, &mut asked)
        } else {
            write_walk(&mut self.writer, mib, request, &mut asked)
        };
        self.text = asked.into_text();
        match complete {
            Ok(()) if self.writer.is_overfull() || self.writer.len() > ANSWER_BYTES_MAX => {
                error(&mut self.writer, request, 1, 0)
            }
            Ok(()) => self.writer.finish(request, 0, 0),
            Err(Missing(position)) => error(&mut self.writer, request, 2, position),
        }
    }
}

/// The position of a variable that is not there, in version 1.
struct Missing(usize);

fn plan(mib: &Mib, request: &Request<'_>) -> Plan {
    let bindings = request.bindings;
    let start = bindings.encoded().as_ptr().addr();
    bindings
        .map(|oid| {
            let from = oid.as_ptr().addr() - start;
            (from..from + oid.len(), mib.find(oid))
        })
        .collect()
}

fn write_get(
    writer: &mut Writer,
    mib: &Mib,
    plan: &Plan,
    request: &Request<'_>,
    asked: &mut Asked<'_>,
) -> Result<(), Missing> {
    let there =
        |at: &Option<usize>, asked: &mut Asked<'_>| at.filter(|at| mib.is_there(*at, asked));
    if request.version == 0
        && let Some(missing) = plan.iter().position(|(_, at)| there(at, asked).is_none())
    {
        return Err(Missing(missing));
    }
    writer.clear();
    for (oid, at) in plan.iter().rev() {
        let oid = &request.bindings.encoded()[oid.clone()];
        let value = match there(at, asked) {
            Some(at) => mib.value(at, asked),
            None => Written::NoSuchInstance,
        };
        writer.push_binding(oid, value);
    }
    Ok(())
}

fn write_walk(
    writer: &mut Writer,
    mib: &Mib,
    request: &Request<'_>,
    asked: &mut Asked<'_>,
) -> Result<(), Missing> {
    let mut answers: Vec<(&[u8], Option<usize>)> = Vec::with_capacity(48);
    match request.kind {
        Kind::Get | Kind::GetNext => {
            answers.extend(request.bindings.map(|oid| next_of(mib, oid, asked)));
        }
        Kind::GetBulk {
            non_repeaters,
            max_repetitions,
        } => {
            let once = request.bindings.take(non_repeaters);
            answers.extend(once.map(|oid| next_of(mib, oid, asked)));
            let mut row: Vec<_> = request
                .bindings
                .skip(non_repeaters)
                .map(|oid| (oid, None))
                .collect();
            let (mut first, mut bytes) = (true, 0);
            'rows: for _ in 0..max_repetitions {
                for (oid, at) in &mut row {
                    (*oid, *at) = match (first, *at) {
                        (true, _) => next_of(mib, oid, asked),
                        (false, Some(at)) => step(mib, at, oid, asked),
                        (false, None) => (*oid, None),
                    };
                    // A rough size that is never too small: what does not fit is left out, as RFC 3416 allows.
                    bytes += oid.len() + 40;
                    if answers.len() >= BULK_VARIABLES_MAX || bytes > ANSWER_BYTES_MAX {
                        break 'rows;
                    }
                    answers.push((oid, *at));
                }
                if row.is_empty() || row.iter().all(|(_, at)| at.is_none()) {
                    break;
                }
                first = false;
            }
        }
    }
    if request.version == 0
        && let Some(missing) = answers.iter().position(|(_, at)| at.is_none())
    {
        return Err(Missing(missing));
    }
    writer.clear();
    for (oid, at) in answers.iter().rev() {
        match at {
            Some(at) => {
                let value = mib.value(*at, asked);
                writer.push_binding(mib.oid(*at), value);
            }
            None => writer.push_binding(oid, Written::EndOfMibView),
        }
    }
    Ok(())
}

fn next_of<'o>(mib: &'o Mib, oid: &'o [u8], asked: &mut Asked<'_>) -> (&'o [u8], Option<usize>) {
    match mib.after(oid, asked) {
        Some(at) => (mib.oid(at), Some(at)),
        None => (oid, None),
    }
}

fn step<'o>(
    mib: &'o Mib,
    at: usize,
    oid: &'o [u8],
    asked: &mut Asked<'_>,
) -> (&'o [u8], Option<usize>) {
    match mib.next(at, asked) {
        Some(at) => (mib.oid(at), Some(at)),
        None => (oid, None),
    }
}

/// An error answer echoes the request's variables; `position` is that of the faulty one.
fn error<'w>(
    writer: &'w mut Writer,
    request: &Request<'_>,
    status: u8,
    position: usize,
) -> &'w [u8] {
    writer.clear();
    let oids = request.bindings.collect::<Vec<_>>();
    for oid in oids.iter().rev() {
        writer.push_binding(oid, Written::Null);
    }
    let index = if status == 1 { 0 } else { position + 1 };
    writer.finish(request, status, u8::try_from(index).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests;
