//! Supplies as SVG: four thin columns for the fleet, a bar for a device. SVG needs no inline style and prints.

use std::fmt::Write as _;

use codec::model::Colorant;
use olap::ask::Levels;

use crate::text::{Lang, words};

/// A column is so wide and so high, with a gap to the next.
const COLUMN_WIDTH: u32 = 9;
const COLUMN_HEIGHT: u32 = 26;
const COLUMN_PITCH: u32 = 13;

/// The columns K C M Y, in that order; a low one is outlined. Empty when no level is known.
pub(crate) fn columns(lang: Lang, levels: &Levels, low_percent: u8) -> String {
    let all = [
        (Colorant::Black, "black", levels.black),
        (Colorant::Cyan, "cyan", levels.cyan),
        (Colorant::Magenta, "magenta", levels.magenta),
        (Colorant::Yellow, "yellow", levels.yellow),
    ];
    let known: Vec<_> = all
        .into_iter()
        .filter_map(|(colorant, class, percent)| Some((colorant, class, percent?)))
        .collect();
    if known.is_empty() {
        return String::new();
    }
    let label = known
        .iter()
        .map(|(colorant, _, percent)| {
            format!("{} {percent} %", words::colorant_name(lang, *colorant))
        })
        .collect::<Vec<_>>()
        .join(", ");
    // A device with one colour keeps its column under the others' first.
    let mut svg = format!(
        r#"<svg class="kcmy" viewBox="-1 -1 50 28" width="50" height="28" role="img" aria-label="{label}"><title>{label}</title>"#
    );
    for (nth, (_, class, percent)) in all.iter().enumerate() {
        let Some(percent) = percent else { continue };
        let x = u32::try_from(nth).unwrap_or(0) * COLUMN_PITCH;
        let height = u32::from((*percent).min(100)) * COLUMN_HEIGHT / 100;
        let y = COLUMN_HEIGHT - height;
        let _ = write!(
            svg,
            r#"<rect class="track" x="{x}" width="{COLUMN_WIDTH}" height="{COLUMN_HEIGHT}" rx="1.5"/><rect class="{class}" x="{x}" y="{y}" width="{COLUMN_WIDTH}" height="{height}" rx="1.5"/>"#
        );
        if *percent <= low_percent {
            let _ = write!(
                svg,
                r#"<rect class="low" x="{x}" width="{COLUMN_WIDTH}" height="{COLUMN_HEIGHT}" rx="2"/>"#
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// A horizontal bar of a level in per cent.
pub(crate) fn bar(percent: u32, class: &str) -> String {
    let percent = percent.min(100);
    format!(
        r#"<svg class="level" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="8"/><rect class="{class}" width="{percent}" height="8"/></svg>"#
    )
}

/// The class of a colour's bar.
pub(crate) const fn class(colorant: Option<Colorant>) -> &'static str {
    match colorant {
        Some(Colorant::Black | Colorant::PhotoBlack | Colorant::MatteBlack) => "black",
        Some(Colorant::Cyan | Colorant::LightCyan) => "cyan",
        Some(Colorant::Magenta | Colorant::LightMagenta) => "magenta",
        Some(Colorant::Yellow) => "yellow",
        _ => "plain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_show_what_is_known_and_outline_what_is_low() {
        let levels = Levels {
            black: Some(71),
            magenta: Some(6),
            ..Levels::default()
        };
        let svg = columns(Lang::De, &levels, 10);
        assert!(svg.contains("Schwarz 71 %, Magenta 6 %"));
        assert_eq!(svg.matches("class=\"track\"").count(), 2);
        assert_eq!(svg.matches("class=\"low\"").count(), 1);
        assert!(!svg.contains("style="));
        assert_eq!(columns(Lang::En, &Levels::default(), 10), "");
    }
}
