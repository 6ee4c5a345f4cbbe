//! Every limit of the web layer, in one place, each with its unit in its name and its reason.

use std::time::Duration;

/// The most bytes of a delivered report, compressed: what an agent seals at most (10,000 full device reports make some 4 MB of gzip),
/// with room for tomorrow. A declared length above it is refused before a byte is read.
pub const REPORT_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes of a form or a JSON document that a person or program sends: the largest form has a dozen short fields.
pub const FORM_BODY_BYTES_MAX: usize = 64 * 1024;

/// How long the body of a page's form, an API call or a SOAP call may take to arrive, at most 256 kB: a line of 0.5 Mbit/s needs four
/// seconds for the largest.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of such bodies held at once: a hundred of the largest, thousands of the usual.
pub const BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The most bytes of reports held at once, from before the first is read until the journal has them: four of the largest, hundreds of the
/// usual. Who comes beyond that is told to come again.
pub const REPORTS_BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// The most connections at once, one descriptor each: a thousand agents that come back at once, keep their connection, and leave room for
/// people. With some 30 kB of buffers and TLS state each they take 60 MB. Where the process may have fewer descriptors (1024 is the usual
/// limit; `LimitNOFILE=` raises it), the bound is lower; see [`DESCRIPTORS_KEPT`].
pub const CONNECTIONS_MAX: usize = 2000;

/// How many of the connections one client may have, in per cent: a proxy with everybody behind it needs most, and the rest is for others
/// when somebody takes all that he can get. A client is an IPv4 address, or an IPv6 network of 64 bits.
pub const CONNECTIONS_EACH_PERCENT: usize = 75;

/// Descriptors kept for what is no connection: databases, journal, logs, the runtime.
pub const DESCRIPTORS_KEPT: usize = 200;

/// The most pages and API requests worked on at once; more wait in the connection, and are refused after [`ADMISSION_WAIT`].
pub const REQUESTS_INFLIGHT_MAX: usize = 128;

/// How long a request waits for its turn before it is told to come again.
pub const ADMISSION_WAIT: Duration = Duration::from_secs(5);

/// The most blocking calls (store, registry) at once: enough to keep two disks busy, few enough to leave the runtime's pool to the journal.
pub const BLOCKING_CALLS_MAX: usize = 32;

/// Rows on a page of a list, unless asked otherwise.
pub const PAGE_ROWS_DEFAULT: u32 = 50;

/// The most rows that one page or one API answer holds.
pub const PAGE_ROWS_MAX: u32 = 1000;

/// The furthest into a sorted list that a cursor leads, in rows: ten times the largest fleet.
pub const OFFSET_MAX: u64 = 1_000_000;

/// The longest text searched for, in characters; more is cut off.
pub const SEARCH_CHARS_MAX: usize = 100;

/// How old the figures beside the menu may be, in milliseconds: every page shows them, and they need not be asked each time.
pub const COUNTS_KEPT_MS: i64 = 2_000;

/// The most rows of a CSV export: the whole of a large fleet; some 40 MB of text, which is held in memory while it is sent.
pub const EXPORT_ROWS_MAX: u64 = 200_000;

/// The longest `next` address that a login carries through, in bytes; a longer one is forgotten.
pub const NEXT_BYTES_MAX: usize = 500;

/// The most bytes of a cookie header that are looked at: ours has two short ones.
pub const COOKIE_BYTES_MAX: usize = 8 * 1024;
