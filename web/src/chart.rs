//! A chart of meters over time, drawn on the server as SVG: few lines, each with its name at its end, a grid, nothing else.
//!
//! What always holds: no inline style (the pages forbid it), coordinates within the picture, text escaped, and a bounded number of points.

use std::fmt::Write as _;

use codec::time::Timestamp;
use jiff::tz::TimeZone;

use crate::format;
use crate::text::Lang;

/// Width and height of the picture, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 210.0;
/// Where the plot lies in it; the right margin has room for the names.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 430.0;
/// So many characters of a name fit beside the plot.
const NAME_CHARS_MAX: usize = 23;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 178.0;
/// Lines of the grid, and the least distance of two names.
const GRID_STEPS: u64 = 4;
const LABEL_GAP: f64 = 14.0;
/// Up to so much time the marks below are times of day, up to so much days with times, beyond it days.
const TIMES_MS_MAX: i64 = format::DAY_MS;
const DAYS_AND_TIMES_MS_MAX: i64 = 4 * format::DAY_MS;
/// The most points of a line: more than pixels across would not be seen.
pub(crate) const POINTS_MAX: usize = 500;
/// The most lines: more could not be told apart.
pub(crate) const LINES_MAX: usize = 4;

/// One meter's way through time.
pub(crate) struct Line {
    /// What stands at its end.
    pub(crate) name: String,
    /// Values in the order of time.
    pub(crate) points: Vec<(Timestamp, u64)>,
}

/// The chart of `lines`, or `None` when there are not two moments to draw between.
pub(crate) fn draw(lang: Lang, zone: &TimeZone, title: &str, lines: &[Line]) -> Option<String> {
    let lines = &lines[..lines.len().min(LINES_MAX)];
    let points = || lines.iter().flat_map(|line| &line.points);
    let from = points().map(|(at, _)| *at).min()?;
    let to = points().map(|(at, _)| *at).max()?;
    if to <= from {
        return None;
    }
    let (low, step) = scale(
        points().map(|(_, value)| *value).min()?,
        points().map(|(_, value)| *value).max()?,
    );
    let frame = Frame {
        from,
        to,
        low,
        high: low + step * GRID_STEPS,
    };
    let mut svg = format!(
        r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        escape(title)
    );
    draw_grid(&mut svg, lang, zone, &frame, step);
    let mut ends: Vec<(usize, f64)> = Vec::new();
    for (nth, line) in lines.iter().enumerate() {
        let Some((last_at, last)) = line.points.last() else {
            continue;
        };
        let _ = write!(svg, r#"<polyline class="line line-{nth}" points=""#);
        for (at, value) in thinned(&line.points) {
            let _ = write!(svg, "{:.1},{:.1} ", frame.x(*at), frame.y(*value));
        }
        let _ = write!(
            svg,
            r#""/><circle class="dot-{nth}" cx="{:.1}" cy="{:.1}" r="3"/>"#,
            frame.x(*last_at),
            frame.y(*last)
        );
        ends.push((nth, frame.y(*last)));
    }
    for (nth, y) in spread(ends) {
        let _ = write!(
            svg,
            r#"<text class="label" x="{:.1}" y="{:.1}">{}</text>"#,
            RIGHT + 10.0,
            y + 4.0,
            escape(&cut(&lines[nth].name))
        );
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// What of time and value the plot shows.
struct Frame {
    from: Timestamp,
    to: Timestamp,
    low: u64,
    high: u64,
}

// Positions in a picture of 600 units: what an f64 loses of an i64 is far below a pixel.
#[allow(clippy::cast_precision_loss)]
impl Frame {
    fn x(&self, at: Timestamp) -> f64 {
        let part = at.ms_since(self.from) as f64 / self.to.ms_since(self.from) as f64;
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn y(&self, value: u64) -> f64 {
        let part = value.saturating_sub(self.low) as f64 / (self.high - self.low) as f64;
        BOTTOM - part.clamp(0.0, 1.0) * (BOTTOM - TOP)
    }
}

fn draw_grid(svg: &mut String, lang: Lang, zone: &TimeZone, frame: &Frame, step: u64) {
    for nth in 0..=GRID_STEPS {
        let value = frame.low + step * nth;
        let y = frame.y(value);
        let _ = write!(
            svg,
            r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 6.0,
            y + 4.0,
            format::number(lang, value)
        );
    }
    let span_ms = frame.to.ms_since(frame.from);
    for nth in 0..=GRID_STEPS {
        let at = frame
            .from
            .plus_ms(span_ms / 4 * i64::try_from(nth).unwrap_or(0));
        let text = match span_ms {
            // Below four minutes two marks would lie in one minute, below four days on one day.
            ..240_000 => format::time_seconds(zone, at),
            240_000..TIMES_MS_MAX => format::time(zone, at),
            TIMES_MS_MAX..DAYS_AND_TIMES_MS_MAX => {
                format!("{} {}", format::day(lang, zone, at), format::time(zone, at))
            }
            _ => format::day(lang, zone, at),
        };
        let anchor = match nth {
            0 => "start",
            GRID_STEPS => "end",
            _ => "middle",
        };
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="{anchor}">{text}</text>"#,
            frame.x(at),
            BOTTOM + 18.0
        );
    }
}

/// The lowest value shown and the step of the grid: round numbers (1, 2 or 5 times a power of ten) that hold all values.
fn scale(min: u64, max: u64) -> (u64, u64) {
    let mut power: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let Some(step) = power.checked_mul(factor) else {
                // Values near the end of u64: one step to the top is all there is.
                return (
                    0,
                    (max / GRID_STEPS)
                        .saturating_add(1)
                        .min(u64::MAX / GRID_STEPS),
                );
            };
            let low = min / step * step;
            if step
                .checked_mul(GRID_STEPS)
                .and_then(|span| low.checked_add(span))
                .is_some_and(|high| high >= max)
            {
                return (low, step);
            }
        }
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return (0, u64::MAX / GRID_STEPS),
        }
    }
}

/// At most [`POINTS_MAX`] of the points, the first and the last among them.
fn thinned(points: &[(Timestamp, u64)]) -> impl Iterator<Item = &(Timestamp, u64)> {
    let stride = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    points
        .iter()
        .enumerate()
        .filter(move |(nth, _)| nth % stride == 0 || *nth == last)
        .map(|(_, point)| point)
}

/// Moves names apart that would overlap, in their order from the top.
fn spread(mut ends: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    ends.sort_by(|a, b| a.1.total_cmp(&b.1));
    for nth in 1..ends.len() {
        ends[nth].1 = ends[nth].1.max(ends[nth - 1].1 + LABEL_GAP);
    }
    // Below the plot there is the axis: push back up what fell off.
    let mut floor = BOTTOM + 2.0;
    for end in ends.iter_mut().rev() {
        end.1 = end.1.min(floor);
        floor = end.1 - LABEL_GAP;
    }
    ends
}

/// A name that fits; its end, which is what was counted, stays.
fn cut(name: &str) -> String {
    let chars = name.chars().count();
    if chars <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    let (words, count) = name.rsplit_once(' ').unwrap_or((name, ""));
    let room = NAME_CHARS_MAX.saturating_sub(count.chars().count() + 2);
    let words: String = words.chars().take(room).collect();
    format!("{}… {count}", words.trim_end_matches([' ', ',']))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, points: &[(i64, u64)]) -> Line {
        Line {
            name: name.to_owned(),
            points: points
                .iter()
                .map(|(ms, value)| (Timestamp::from_unix_ms(*ms), *value))
                .collect(),
        }
    }

    #[test]
    fn the_scale_is_round_and_holds_every_value() {
        assert_eq!(scale(98_000, 98_312), (98_000, 100));
        assert_eq!(scale(7, 7), (7, 1));
        assert_eq!(scale(0, 1), (0, 1));
        for (min, max) in [
            (0, 3),
            (17, 93),
            (999, 1001),
            (5, 1_000_000),
            (0, u64::MAX),
            (u64::MAX, u64::MAX),
        ] {
            let (low, step) = scale(min, max);
            assert!(low <= min && step > 0);
            let high = u128::from(low) + u128::from(step) * u128::from(GRID_STEPS);
            assert!(high + 4 >= u128::from(max), "{min} {max}: {low} {step}");
        }
    }

    #[test]
    fn a_chart_needs_two_moments() {
        let zone = TimeZone::UTC;
        assert_eq!(draw(Lang::En, &zone, "t", &[]), None);
        assert_eq!(draw(Lang::En, &zone, "t", &[line("a", &[(5, 1)])]), None);
        assert!(draw(Lang::En, &zone, "t", &[line("a", &[(5, 1), (6, 1)])]).is_some());
    }

    #[test]
    fn a_chart_escapes_names_and_stays_within_its_picture() {
        let many: Vec<_> = (0..5000_i64).map(|n| (n, n.unsigned_abs())).collect();
        let svg = draw(
            Lang::De,
            &TimeZone::UTC,
            "\"Zähler\"",
            &[line("<b>", &many), line("b", &[(0, 4999), (4999, 4999)])],
        )
        .unwrap();
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"));
        assert!(svg.contains("&quot;Zähler&quot;"));
        assert!(!svg.contains("style="));
        let polyline = svg
            .split("points=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert!(polyline.split_whitespace().count() <= POINTS_MAX + 1);
    }

    #[test]
    fn the_marks_of_a_short_time_differ() {
        let svg = draw(
            Lang::De,
            &TimeZone::UTC,
            "t",
            &[line("a", &[(0, 1), (90_000, 9)])],
        )
        .unwrap();
        for mark in ["00:00:00", "00:00:22", "00:00:45", "00:01:07", "00:01:30"] {
            assert!(svg.contains(&format!(">{mark}<")), "{mark}");
        }
    }

    #[test]
    fn a_long_name_keeps_what_was_counted() {
        assert_eq!(cut("Druck, farbig +12"), "Druck, farbig +12");
        let cut = cut("Druck, schwarzweiß, A3, beidseitig +12.345");
        assert!(cut.ends_with("… +12.345"), "{cut}");
        assert!(cut.chars().count() <= NAME_CHARS_MAX);
    }

    #[test]
    fn names_that_would_overlap_move_apart_and_stay_inside() {
        let ends = spread(vec![(0, BOTTOM), (1, BOTTOM), (2, BOTTOM - 1.0)]);
        for pair in ends.windows(2) {
            assert!(pair[1].1 - pair[0].1 >= LABEL_GAP - 0.001);
        }
        assert!(ends.iter().all(|(_, y)| *y <= BOTTOM + 2.0));
    }
}
