//! What ends a command: a sentence and its causes, printed once, at the top.

use std::error::Error;
use std::fmt;

/// Why a command ended.
#[derive(Debug)]
pub struct Failure {
    doing: Option<String>,
    cause: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// What it came of.
    pub fn cause(&self) -> &(dyn Error + 'static) {
        &*self.cause
    }

    /// A failure that needs no cause.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            doing: None,
            cause: sentence.into().into(),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self {
            doing: None,
            cause: cause.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(doing) = &self.doing {
            write!(f, "cannot {doing}: ")?;
        }
        self.cause.fmt(f)?;
        let mut next = self.cause.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// `what` follows "cannot": `open the registry`.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Error + Send + Sync + 'static> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|cause| Failure {
            doing: Some(what()),
            cause: cause.into(),
        })
    }
}
