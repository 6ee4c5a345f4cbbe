//! Where results go: stdout. When its reader has gone (`… | head`), what is left to say is nobody's any more, and that is no error.

use std::io::{self, ErrorKind, StdoutLock, Write};

/// Takes results for `W` until its reader is gone, and then takes them for nobody.
pub struct Results<W> {
    to: W,
    is_gone: bool,
}

/// Stdout for results.
pub fn results() -> Results<StdoutLock<'static>> {
    Results::new(io::stdout().lock())
}

impl<W: Write> Results<W> {
    const fn new(to: W) -> Self {
        Self { to, is_gone: false }
    }

    /// Whether nobody reads any more: what takes long may end here.
    pub const fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Tries, unless nobody reads; `done` is what a try that meets nobody counts as.
    fn unless_gone<T>(
        &mut self,
        done: T,
        act: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.is_gone {
            return Ok(done);
        }
        match act(&mut self.to) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(done)
            }
            result => result,
        }
    }
}

impl<W: Write> Write for Results<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_gone(bytes.len(), |to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_gone((), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reader leaves after some bytes.
    struct Pipe {
        left: usize,
        fails_with: ErrorKind,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Err(self.fails_with.into());
            }
            let taken = bytes.len().min(self.left);
            self.left -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is_one() {
        let pipe = |fails_with| Pipe {
            left: 5,
            fails_with,
        };
        let mut results = Results::new(pipe(ErrorKind::BrokenPipe));
        results.write_all(b"four").unwrap();
        assert!(!results.is_gone());
        results.write_all(b"and more").unwrap();
        assert!(results.is_gone());
        results.flush().unwrap();
        let mut results = Results::new(pipe(ErrorKind::StorageFull));
        let error = results.write_all(b"four and more").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
}
