//! Writing XML: elements one after the other into a buffer, text escaped.
//!
//! What always holds: what is written is well-formed whatever the text holds; characters that XML 1.0 cannot hold become
//! U+FFFD.

use std::fmt::{self, Display, Write as _};

use codec::time::Timestamp;

/// The XML written so far.
#[derive(Default)]
pub(crate) struct Out {
    bytes: Vec<u8>,
}

impl Out {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes markup as it is.
    pub(crate) fn raw(&mut self, markup: &str) {
        self.bytes.extend_from_slice(markup.as_bytes());
    }

    /// Writes an element around what `inside` writes.
    pub(crate) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name);
        inside(self);
        self.close(name);
    }

    /// Writes an element with a value; nothing when there is none.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "values are references and small copies; lists of fields read better without a & each"
    )]
    pub(crate) fn field(&mut self, name: &str, value: impl Render) {
        if value.is_some() {
            self.open(name);
            value.render(self);
            self.close(name);
        }
    }

    /// Writes text, escaped.
    pub(crate) fn text(&mut self, text: &str) {
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            let instead: &str = match byte {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\r' => "&#13;",
                0..=8 | 11 | 12 | 14..=31 => "\u{fffd}",
                // U+FFFE and U+FFFF are EF BF BE and EF BF BF: the two before it have been passed over, and are taken back.
                0xbe | 0xbf if text.as_bytes()[..at].ends_with(b"\xef\xbf") => {
                    self.bytes.extend_from_slice(&text.as_bytes()[from..at - 2]);
                    self.raw("\u{fffd}");
                    from = at + 1;
                    continue;
                }
                _ => continue,
            };
            self.bytes.extend_from_slice(&text.as_bytes()[from..at]);
            self.raw(instead);
            from = at + 1;
        }
        self.bytes.extend_from_slice(&text.as_bytes()[from..]);
    }

    fn open(&mut self, name: &str) {
        self.bytes.push(b'<');
        self.raw(name);
        self.bytes.push(b'>');
    }

    fn close(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.bytes.push(b'>');
    }
}

/// What an element can hold.
pub(crate) trait Render {
    /// Whether there is anything; without, the element is left out.
    fn is_some(&self) -> bool {
        true
    }

    /// Writes it.
    fn render(&self, out: &mut Out);
}

impl Render for &str {
    fn render(&self, out: &mut Out) {
        out.text(self);
    }
}

impl Render for bool {
    fn render(&self, out: &mut Out) {
        out.raw(if *self { "true" } else { "false" });
    }
}

impl Render for i64 {
    fn render(&self, out: &mut Out) {
        write!(Raw(out), "{self}").expect("writing to memory succeeds");
    }
}

impl Render for usize {
    fn render(&self, out: &mut Out) {
        write!(Raw(out), "{self}").expect("writing to memory succeeds");
    }
}

/// A counter as `xs:long`: one beyond it (no device has it) is written as the largest that fits.
impl Render for u64 {
    fn render(&self, out: &mut Out) {
        i64::try_from(*self).unwrap_or(i64::MAX).render(out);
    }
}

impl Render for Timestamp {
    fn render(&self, out: &mut Out) {
        out.bytes.extend_from_slice(&self.to_bytes());
    }
}

impl<T: Render> Render for Option<T> {
    fn is_some(&self) -> bool {
        self.as_ref().is_some_and(Render::is_some)
    }

    fn render(&self, out: &mut Out) {
        if let Some(value) = self {
            value.render(out);
        }
    }
}

/// An identifier whose text needs no escape.
pub(crate) struct Plain<T>(pub T);

impl<T: Display> Render for Plain<T> {
    fn render(&self, out: &mut Out) {
        write!(Raw(out), "{}", self.0).expect("writing to memory succeeds");
    }
}

struct Raw<'a>(&'a mut Out);

impl fmt::Write for Raw<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.raw(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_text_holds_it_is_written_as_xml_can_hold_it() {
        let mut out = Out::default();
        out.field("a", "<&>\"' ä\u{1}\u{ffff}\u{fffe}\u{ffbf}\r\n]]>");
        out.field("b", None::<&str>);
        out.field("c", Some(u64::MAX));
        out.field("d", Timestamp::from_unix_ms(0));
        assert_eq!(
            String::from_utf8(out.into_bytes()).unwrap(),
            "<a>&lt;&amp;&gt;&quot;' ä\u{fffd}\u{fffd}\u{fffd}\u{ffbf}&#13;\n]]&gt;</a><c>9223372036854775807</c><d>1970-01-01T00:00:00.000Z</d>"
        );
    }
}
