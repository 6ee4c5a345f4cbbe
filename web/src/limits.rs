//! Every limit of the web layer, in one place, each with its unit in its name and its reason.

use std::time::Duration;

/// The most bytes of a delivered report, compressed: what an agent seals at most (10,000 full device reports make some 4 MB of gzip),
/// with room for tomorrow. A declared length above it is refused before a byte is read.
pub const REPORT_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes of a form or a JSON document that a person or program sends: the largest form has a dozen short fields.
pub const FORM_BODY_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of a SOAP request: questions are small; only lists of acknowledgements grow.
pub const SOAP_BODY_BYTES_MAX: usize = 1024 * 1024;

/// The most bytes of a request's line and headers together, so that a connection's memory is bounded before anybody is known.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;

/// The most headers of a request; browsers behind two proxies send some thirty.
pub const HEADERS_MAX: usize = 100;

/// How long a page or an API answer may take, its body included; the slowest question over 100,000 devices takes well under a second.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one delivery of a report may take: 16 MB over a line of 2 Mbit/s, and the wait for the journal.
pub const REPORT_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a connection may be silent while a request is awaited or read. Longer than a browser's keep-alive pause,
/// short enough that silent connections cannot pile up.
pub const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(75);

/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests in flight may go on once the program was told to stop.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// The most connections at once: one descriptor each, below the usual limit of 1024 per process with room for files.
pub const CONNECTIONS_MAX: usize = 800;

/// The most pages and API requests worked on at once; more wait in the connection, and are refused after [`ADMISSION_WAIT`].
pub const REQUESTS_INFLIGHT_MAX: usize = 128;

/// How long a request waits for its turn before it is told to come again.
pub const ADMISSION_WAIT: Duration = Duration::from_secs(5);

/// The most blocking calls (store, registry) at once: enough to keep two disks busy, few enough to leave the runtime's pool to the journal.
pub const BLOCKING_CALLS_MAX: usize = 32;

/// The most password checks at once: each costs argon2's memory (some 20 MB) and a core for tens of milliseconds.
pub const PASSWORD_CHECKS_MAX: usize = 2;

/// Rows on a page of a list, unless asked otherwise.
pub const PAGE_ROWS_DEFAULT: u32 = 50;

/// The most rows that one page or one API answer holds.
pub const PAGE_ROWS_MAX: u32 = 1000;

/// The longest text searched for, in characters; more is cut off.
pub const SEARCH_CHARS_MAX: usize = 100;

/// The longest name that a form may give to something, in characters.
pub const NAME_CHARS_MAX: usize = 120;

/// The shortest password that is accepted, in characters.
pub const PASSWORD_CHARS_MIN: usize = 10;

/// The longest password that is checked, in bytes: argon2's time grows with it.
pub const PASSWORD_BYTES_MAX: usize = 512;

/// Failed logins of one account or one address within [`THROTTLE_WINDOW`] before further ones are refused unseen.
pub const LOGIN_FAILURES_MAX: u32 = 8;

/// How long a failed login counts.
pub const THROTTLE_WINDOW: Duration = Duration::from_secs(300);

/// The most addresses and accounts whose failures are remembered; when full, the oldest go.
pub const THROTTLE_ENTRIES_MAX: usize = 10_000;

/// How long a successful HTTP Basic check is remembered, so that a program polling with `-u` does not cost an argon2 per request.
pub const BASIC_CACHE_TTL: Duration = Duration::from_secs(60);

/// The most remembered HTTP Basic checks.
pub const BASIC_CACHE_ENTRIES_MAX: usize = 1000;
