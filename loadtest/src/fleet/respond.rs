//! One printer's answer to one request: GET, GETNEXT and GETBULK over its MIB, as RFC 1157 and RFC 3416 have them.

use super::ber::{Kind, Request, Writer, Written};
use super::mib::{Asked, Mib};
use super::printer::Printer;

/// Longest answer: printers stay below what needs no IP fragments, and say `tooBig` beyond.
const ANSWER_BYTES_MAX: usize = 1400;
/// Variables in one GETBULK answer.
const BULK_VARIABLES_MAX: usize = 200;
/// The answer of one printer to one request.
pub fn respond<'w>(
    writer: &'w mut Writer,
    mib: &Mib,
    printer: &Printer,
    request: &Request<'_>,
    now_unix_ms: i64,
) -> &'w [u8] {
    let mut asked = Asked::new(printer, now_unix_ms);
    let mut answers: Vec<(&[u8], Option<usize>)> = Vec::with_capacity(48);
    match request.kind {
        Kind::Get => {
            answers.extend(
                request
                    .bindings
                    .map(|oid| (oid, mib.exact(oid, &mut asked))),
            );
        }
        Kind::GetNext => answers.extend(request.bindings.map(|oid| next_of(mib, oid, &mut asked))),
        Kind::GetBulk {
            non_repeaters,
            max_repetitions,
        } => {
            let once = request.bindings.take(non_repeaters);
            answers.extend(once.map(|oid| next_of(mib, oid, &mut asked)));
            let mut row: Vec<_> = request
                .bindings
                .skip(non_repeaters)
                .map(|oid| (oid, None))
                .collect();
            let (mut first, mut bytes) = (true, 0);
            'rows: for _ in 0..max_repetitions {
                for (oid, at) in &mut row {
                    (*oid, *at) = match (first, *at) {
                        (true, _) => next_of(mib, oid, &mut asked),
                        (false, Some(at)) => step(mib, at, oid, &mut asked),
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
        return error(writer, request, 2, missing);
    }
    writer.clear();
    for (oid, at) in answers.iter().rev() {
        match (at, request.kind) {
            (Some(at), _) => {
                let value = mib.value(*at, &mut asked);
                writer.push_binding(mib.oid(*at), value);
            }
            (None, Kind::Get) => writer.push_binding(oid, Written::NoSuchInstance),
            (None, _) => writer.push_binding(oid, Written::EndOfMibView),
        }
    }
    if writer.len() > ANSWER_BYTES_MAX {
        return error(writer, request, 1, 0);
    }
    writer.finish(request, 0, 0)
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
