//! What goes over the wire: the XML, compressed. Sealed bytes are made once and never changed ([`crate::key::ContentHash`] is theirs).
//!
//! One gzip member or one zstd frame, nothing before or after it. An [`Inflater`] never makes more bytes than its caller's cap, whatever the body
//! says of itself, and keeps its buffer for the next body.

use std::fmt;

/// How the XML is compressed: the value of `Content-Encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip (RFC 1952): one member.
    #[default]
    Gzip,
    /// Zstandard (RFC 8878): one frame without a dictionary.
    Zstd,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Gzip, Self::Zstd];

    /// The name in HTTP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The encoding of that name, in any case; `x-gzip` is gzip, and an empty name is identity.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim() {
            "" => Some(Self::Identity),
            name if name.eq_ignore_ascii_case("x-gzip") => Some(Self::Gzip),
            name => Self::ALL
                .into_iter()
                .find(|encoding| name.eq_ignore_ascii_case(encoding.name())),
        }
    }

    /// What `body` looks like by its first bytes: how sealed bytes that were kept are opened again.
    #[must_use]
    pub fn detect(body: &[u8]) -> Self {
        match body {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Identity,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a body could not be inflated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is larger than the cap, or says that it is.
    #[error("the {encoding} body inflates to more than {cap_bytes} bytes")]
    TooLarge {
        /// How it is compressed.
        encoding: Encoding,
        /// What was allowed.
        cap_bytes: usize,
    },
    /// It ends too early.
    #[error("the {encoding} body is cut off")]
    Truncated {
        /// How it is compressed.
        encoding: Encoding,
    },
    /// It is not what its encoding says, or its checksum is wrong.
    #[error("not a {encoding} body: {reason}")]
    Corrupt {
        /// How it should be compressed.
        encoding: Encoding,
        /// What is wrong.
        reason: &'static str,
    },
    /// Something follows the one member or frame.
    #[error("{count} bytes follow the end of the {encoding} body")]
    Trailing {
        /// How it is compressed.
        encoding: Encoding,
        /// How many bytes too many.
        count: usize,
    },
}

/// Compresses reports; keeps its state between them.
pub struct Deflater {}

impl Deflater {
    /// A deflater at the level that reports are sealed with.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// Appends `plain`, compressed, to `out`.
    pub fn deflate(&mut self, encoding: Encoding, plain: &[u8], out: &mut Vec<u8>) {
        let _ = (encoding, plain, out);
        todo!("follows within the hour")
    }
}

impl Default for Deflater {
    fn default() -> Self {
        Self::new()
    }
}

/// Compresses `plain` once.
#[must_use]
pub fn compress(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new().deflate(encoding, plain, &mut out);
    out
}

/// Inflates reports into a buffer that it keeps.
pub struct Inflater {}

impl Inflater {
    /// An inflater without a buffer yet.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// The plain bytes of `body`, at most `cap_bytes` of them.
    ///
    /// # Errors
    /// [`EnvelopeError`] when the body is too large, cut off, corrupt, or followed by anything.
    pub fn inflate<'a>(
        &'a mut self,
        encoding: Encoding,
        body: &'a [u8],
        cap_bytes: usize,
    ) -> Result<&'a [u8], EnvelopeError> {
        let _ = (encoding, body, cap_bytes);
        todo!("follows within the hour")
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}
