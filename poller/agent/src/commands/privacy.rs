//! `platen-agent privacy`: everything that can ever be asked for.

use poller::profile::ProfileSet;
use std::io::Write;
use std::process::ExitCode;

use super::Outcome;
use super::output::results;
use crate::cli::PrivacyArgs;

/// Prints the allow-list.
pub fn privacy(args: &PrivacyArgs) -> Outcome {
    let profiles = ProfileSet::load(args.profiles.as_deref())?;
    let list = poller::privacy::list(&profiles);
    let mut out = results();
    for allowed in &list {
        writeln!(out, "{}\t{}", allowed.subtree, allowed.purpose)?;
    }
    eprintln!(
        "{} subtrees. Nothing outside them is ever asked for; there is no request in this program that changes a device.",
        list.len()
    );
    Ok(ExitCode::SUCCESS)
}
