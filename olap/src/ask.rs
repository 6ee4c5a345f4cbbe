//! Questions and answers. A question says what it is about with checked types; the scope comes beside it.

mod alerts;
mod device;
mod fleet;
mod history;
mod readings;

pub use alerts::*;
pub use device::*;
pub use fleet::*;
pub use history::*;
pub use readings::*;

/// The most items of one page: what a browser shows and a caller holds without strain.
pub const PAGE_ITEMS_MAX: u32 = 5_000;
/// The items of a page when nothing was said.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;
/// The most points of a chart: more than any screen has columns.
pub const HISTORY_POINTS_MAX: u32 = 4_000;
/// The longest search, in characters; the rest is not looked at.
pub const SEARCH_CHARS_MAX: usize = 200;
/// The most words of a search; further ones are not looked at.
pub const SEARCH_WORDS_MAX: usize = 8;
