//! Errors that point: file, line, column, key, what is wrong, and what would be accepted.

use std::ops::Range;
use std::path::PathBuf;

/// Why a configuration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file, or one that it names, could not be read.
    #[error("{what} {path:?} cannot be read")]
    Read {
        /// What it was to be: `the configuration`, `manager.token_file`.
        what: String,
        /// Where it was looked for.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A key is unknown or missing, or its value is not accepted.
    #[error(transparent)]
    Key(Box<KeyError>),
}

/// What is wrong at one place of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {key}: {problem}; accepted: {accepted}")]
pub struct KeyError {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The key with its table, such as `range[0].include`; empty tables are `(top)`.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What would be accepted.
    pub accepted: String,
}

/// A file's text, to turn places in it into lines and keys.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// How the file is called in messages.
    pub file: &'a str,
    /// All of it.
    pub text: &'a str,
}

impl Text<'_> {
    /// The error of what stands at `span`.
    pub fn error(
        &self,
        span: &Range<usize>,
        problem: impl Into<String>,
        accepted: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Key(Box::new(self.key_error(span, problem, accepted)))
    }

    /// What is wrong with what stands at `span`.
    pub fn key_error(
        &self,
        span: &Range<usize>,
        problem: impl Into<String>,
        accepted: impl Into<String>,
    ) -> KeyError {
        let (line, column) = self.place(span.start);
        KeyError {
            file: self.file.to_owned(),
            line,
            column,
            key: self.key_at(span.start),
            problem: problem.into(),
            accepted: accepted.into(),
        }
    }

    /// The error of what serde or the TOML reader refused.
    pub fn toml_error(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim();
        // Serde says `unknown field X, expected one of A, B` and `missing field X` in one sentence.
        let (problem, accepted) = match message.split_once(", expected ") {
            Some((problem, accepted)) => (
                problem.replace("unknown field", "unknown key"),
                accepted.replace("one of ", "one of the keys "),
            ),
            None => (
                message.replace("missing field", "missing key"),
                "the keys and values that the example configuration explains".to_owned(),
            ),
        };
        self.error(&span, problem, accepted)
    }

    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.before(at);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    /// What stands before `at`, cut back to a whole character.
    fn before(&self, at: usize) -> &str {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        &self.text[..at]
    }

    /// The key whose value, or which itself, stands at `at`: found by reading the lines up to there. Arrays of tables are
    /// numbered from 0. A guess for display: it reads lines, not TOML's grammar.
    fn key_at(&self, at: usize) -> String {
        let (line_of_error, _) = self.place(at);
        let mut table = String::new();
        let mut key = String::new();
        let mut counted: Vec<(String, usize)> = Vec::new();
        for line in self.text.lines().take(line_of_error) {
            let line = line.trim();
            if let Some(name) = line
                .strip_prefix("[[")
                .and_then(|rest| rest.split_once("]]"))
                .map(|(name, _)| name.trim())
            {
                let number = if let Some((_, count)) = counted.iter_mut().find(|(n, _)| n == name) {
                    *count += 1;
                    *count
                } else {
                    counted.push((name.to_owned(), 0));
                    0
                };
                table = format!("{name}[{number}]");
                key.clear();
            } else if let Some((name, _)) = line
                .strip_prefix('[')
                .filter(|rest| !rest.contains(','))
                .and_then(|rest| rest.split_once(']'))
                .filter(|(name, _)| is_key(name))
            {
                name.trim().clone_into(&mut table);
                key.clear();
            } else if let Some((name, _)) = line.split_once('=')
                && is_key(name)
            {
                name.trim().clone_into(&mut key);
            }
        }
        match (table.is_empty(), key.is_empty()) {
            (true, true) => "(top)".to_owned(),
            (true, false) => key,
            (false, true) => table,
            (false, false) => format!("{table}.{key}"),
        }
    }
}

fn is_key(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}
