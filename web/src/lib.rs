//! Pages, JSON API, sessions, TLS: everything of the manager that speaks HTTP.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | what the operator decides |
//! | [`limits`] | every limit, with its reason |
//! | [`mod@serve`], [`tls`] | the listener |

pub mod config;
pub mod limits;
mod serve;
pub mod tls;

pub use config::Config;
pub use serve::serve;
pub use tls::{Tls, TlsFiles};
