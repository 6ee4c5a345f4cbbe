//! The same report, written by another hand: other order of attributes, other quotes, white space, comments, references, `<a></a>` for `<a/>`.

/// Gives out choices, round and round.
struct Choices<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let byte = self.bytes[self.at % self.bytes.len()];
        self.at += 1;
        usize::from(byte) % bound
    }
}

/// What may stand between tags.
const BETWEEN: [&str; 6] = [
    "",
    "",
    "\n",
    " \t",
    "<!-- a comment, <not> a tag -->",
    "\r\n  ",
];

/// What may stand between attributes.
const SPACE: [&str; 4] = [" ", " ", "\n\t", "  "];

/// What may stand around `=`.
const EQUALS: [&str; 4] = ["=", "=", " = ", "=\n"];

/// Rewrites canonical XML by `choices`.
pub(super) fn rewrite(canonical: &[u8], choices: &[u8]) -> String {
    let mut choices = Choices {
        bytes: choices,
        at: 0,
    };
    let canonical = std::str::from_utf8(canonical).unwrap();
    let (_, body) = canonical.split_once("?>\n").unwrap();
    let prologs = [
        "",
        "\u{feff}",
        "<?xml version='1.0'?>",
        "\u{feff}<?xml version=\"1.0\" encoding='utf-8' standalone=\"yes\" ?>\n",
    ];
    let mut out = prologs[choices.below(prologs.len())].to_owned();
    for tag in body.split_inclusive('>') {
        out.push_str(BETWEEN[choices.below(BETWEEN.len())]);
        rewrite_tag(
            tag.trim_start_matches('\n').trim_end(),
            &mut choices,
            &mut out,
        );
    }
    out.push_str(BETWEEN[choices.below(BETWEEN.len())]);
    out
}

fn rewrite_tag(tag: &str, choices: &mut Choices<'_>, out: &mut String) {
    if let Some(name) = tag.strip_prefix("</") {
        let name = name.trim_end_matches('>');
        out.push_str("</");
        out.push_str(name);
        out.push_str(["", " ", "\n"][choices.below(3)]);
        out.push('>');
        return;
    }
    let Some(inside) = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>')) else {
        out.push_str(tag);
        return;
    };
    let (inside, closed) = match inside.strip_suffix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
    let mut rest = attributes;
    let mut attributes: Vec<(&str, &str)> = Vec::new();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap();
        attributes.push((key.trim_start(), value));
        rest = after;
    }
    // Some permutation.
    for at in (1..attributes.len()).rev() {
        attributes.swap(at, choices.below(at + 1));
    }
    out.push('<');
    out.push_str(name);
    for (key, value) in attributes {
        out.push_str(SPACE[choices.below(SPACE.len())]);
        out.push_str(key);
        out.push_str(EQUALS[choices.below(EQUALS.len())]);
        let single = choices.below(3) == 0 && !value.contains('\'');
        let quote = if single { '\'' } else { '"' };
        out.push(quote);
        rewrite_value(value, choices, out);
        out.push(quote);
    }
    out.push_str(["", " ", "\n"][choices.below(3)]);
    if closed && choices.below(3) == 0 {
        out.push_str("></");
        out.push_str(name);
        out.push('>');
    } else {
        out.push_str(if closed { "/>" } else { ">" });
    }
}

fn rewrite_value(value: &str, choices: &mut Choices<'_>, out: &mut String) {
    let mut in_reference = false;
    for character in value.chars() {
        let may = !in_reference && character != '&' && choices.below(12) == 0;
        in_reference = (in_reference || character == '&') && character != ';';
        match (may, choices.below(3)) {
            (true, 0) => out.push_str(&format!("&#{};", u32::from(character))),
            (true, 1) => out.push_str(&format!("&#x{:04x};", u32::from(character))),
            (true, _) if character == '\'' => out.push_str("&apos;"),
            // White space is read as a space.
            (true, _) if character == ' ' => out.push_str(["\n", "\t", "\r\n"][choices.below(3)]),
            _ => out.push(character),
        }
    }
}
