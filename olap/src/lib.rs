//! The columnar store: what the manager knows of devices, and the typed questions that pages, API and SOAP service ask.
//!
//! | module | what it holds |
//! |---|---|
//! | [`store`] | the seam: trait [`Store`], what callers may rely on |
//! | [`batch`] | [`Batch`]: what the applier hands over to be committed at once |
//! | [`rows`] | the rows a batch is made of, borrowing their text |
//! | [`ask`] | questions and answers |
//! | [`reading`] | readings as runs (Rule 4) and their stable ids |
//! | [`words`] | quality, read reason, kinds of events: words of columns, API and SOAP |
//! | [`cursor`] | opaque cursors that survive a restart |
//! | [`error`] | [`StoreError`]: which operation failed, and why |
//! | [`duck`] | [`DuckStore`]: DuckDB in one file or in memory |
//!
//! No SQL and no type of DuckDB or Arrow leaves this crate. Every question takes the asker's scope (Rule 9), every time
//! is an argument.

pub mod ask;
pub mod batch;
pub mod cursor;
pub mod duck;
pub mod error;
pub mod reading;
pub mod rows;
pub mod store;
pub mod words;

pub use batch::Batch;
pub use duck::{DuckOptions, DuckStore};
pub use error::StoreError;
pub use reading::{Reading, ReadingId};
pub use store::{Applied, Positions, Store, StreamApplied};
