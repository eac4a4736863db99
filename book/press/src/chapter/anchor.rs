//! Anchors, the marks around the lines of a source file that a page shows.

/// Returns the lines between the two marks of `anchor`, or `None` if a mark is missing.
pub fn anchored<'a>(source: &'a str, anchor: &str) -> Option<Vec<&'a str>> {
    let is = |line: &str, mark: &str| {
        let rest = line.split_once(mark).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.split_whitespace().next() == Some(anchor))
    };
    let begin = source.lines().position(|line| is(line, "ANCHOR:"))?;
    let mut lines = Vec::new();
    for line in source.lines().skip(begin + 1) {
        if is(line, "ANCHOR_END:") {
            return Some(lines);
        }
        lines.push(line);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_between_the_marks_are_found() {
        let source =
            "// ANCHOR: a\nfn f() {}\n// ANCHOR_END: ab\n    // ANCHOR_END: a\nfn g() {}\n";
        assert_eq!(anchored(source, "a"), Some(vec!["fn f() {}", "// ANCHOR_END: ab"]));
        assert_eq!(anchored(source, "ab"), None, "no first mark");
        assert_eq!(anchored("// ANCHOR: a\nfn f() {}\n", "a"), None, "no second mark");
        assert_eq!(anchored("// ANCHOR: a\n// ANCHOR_END: a\n", "a"), Some(vec![]));
    }
}
