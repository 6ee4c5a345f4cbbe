//! SNMP on a stream (RFC 3430): messages one behind the other, each as long as its own BER length says.

use std::io::{self, ErrorKind, Read};

use crate::ber::{Cursor, MESSAGE_BYTES_MAX};

/// How much is read at once.
const READ_BYTES: usize = 4_096;

/// The longest head of a message: tag, and a length of five octets.
const HEAD_BYTES_MAX: usize = 6;

/// What came of a message that is not complete yet.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Reads once from the stream and says whether it goes on. What is read is at most one read more than one message.
    pub(crate) fn read_from(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        let mut buffer = [0; READ_BYTES];
        let count = stream.read(&mut buffer)?;
        self.bytes
            .extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    /// The next complete message.
    ///
    /// # Errors
    /// When what stands there is no message, or too long for one: there is no way back into step.
    pub(crate) fn next_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(length) = message_length(&self.bytes)? else {
            return Ok(None);
        };
        if self.bytes.len() < length {
            return Ok(None);
        }
        let rest = self.bytes.split_off(length);
        Ok(Some(std::mem::replace(&mut self.bytes, rest)))
    }
}

/// How long the message is that begins here, once its head is complete.
fn message_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let invalid = |what| io::Error::new(ErrorKind::InvalidData, what);
    match bytes.first() {
        None => return Ok(None),
        Some(0x30) => {}
        Some(_) => return Err(invalid("not a message of SNMP")),
    }
    let mut head = Cursor::new(bytes.get(..HEAD_BYTES_MAX).unwrap_or(bytes));
    match head.head() {
        Ok((_, length)) => {
            let begin = bytes.len().min(HEAD_BYTES_MAX) - head.rest().len();
            if length > MESSAGE_BYTES_MAX {
                return Err(invalid("a message that is too long"));
            }
            Ok(Some(begin + length))
        }
        Err(crate::ber::BerError::Truncated) if bytes.len() < HEAD_BYTES_MAX => Ok(None),
        Err(_) => Err(invalid("a length of a forbidden form")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_they_arrive() {
        let long = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        let messages = [vec![0x30, 0], vec![0x30, 2, 5, 0], long];
        let stream = messages.concat();
        for piece in [1, 2, 3, 7, 1_000] {
            let mut frames = Frames::default();
            let mut whole = Vec::new();
            for mut bytes in stream.chunks(piece) {
                assert!(frames.read_from(&mut bytes).expect("a slice"));
                while let Some(message) = frames.next_message().expect("sound") {
                    whole.push(message);
                }
            }
            assert_eq!(whole, messages, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_message_ends_the_stream() {
        for bytes in [
            &[0x31, 0][..],
            &[0x30, 0x80, 0, 0, 0, 0],
            &[0x30, 0x84, 0x7f, 0, 0, 0],
        ] {
            let mut frames = Frames::default();
            assert!(frames.read_from(&mut { bytes }).expect("a slice"));
            assert!(frames.next_message().is_err(), "{bytes:02x?}");
        }
    }
}
