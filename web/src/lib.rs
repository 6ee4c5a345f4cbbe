//! Pages, JSON API, sessions, TLS: everything of the manager that speaks HTTP.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | what the operator decides |
//! | [`limits`] | every limit, with its reason |
//! | [`mod@serve`], [`tls`], `connections` | the listener, and what it counts |
//! | [`mod@router`] | the routes, and the layers around them |
//! | `state` | what every handler holds |
//! | `visit` | who asks: session, language, CSRF token |
//! | `pages`, `text`, `format`, `chart`, `assets` | what people see |
//! | `api` | what programs see |
//! | [`waiting`] | what all of them see while the manager cannot begin |
//! | `door`, `reports`, `erp` | the agents' door and the SOAP service, by HTTP |
//! | `failure`, `health`, `metrics` | what goes wrong, whether it works, how much |
//!
//! No business rules and no SQL: pages and API ask registry and store typed questions, each with the asker's scope (Rule 9).

mod api;
mod assets;
mod chart;
pub mod config;
mod connections;
mod door;
mod erp;
mod failure;
mod format;
mod health;
pub mod limits;
mod metrics;
mod pages;
mod reports;
mod router;
mod serve;
mod state;
mod text;
pub mod tls;
mod visit;
pub mod waiting;

/// The addresses of the JSON API, for whoever checks its description against what is served.
#[must_use]
pub fn api_paths() -> Vec<&'static str> {
    api::list().into_iter().map(|(path, _)| path).collect()
}

pub use config::{Config, MetricsAccess};
pub use connections::Connections;
pub use router::router;
pub use serve::serve;
pub use state::State;
pub use tls::{ClientCertificates, Tls, TlsFiles};
