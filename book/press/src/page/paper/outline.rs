//! Mends the outline of a PDF of Chromium's, which has the text of a heading twice if the browser
//! lays the heading out twice.

/// Halves each title of the outline that is a text written twice. The file keeps its length, and
/// with it the places of its objects.
pub fn mend(pdf: &mut [u8]) {
    const TITLE: &[u8] = b"<</Title ";
    let mut at = 0;
    while let Some(found) = pdf[at..].windows(TITLE.len()).position(|window| window == TITLE) {
        let start = at + found + TITLE.len();
        at = start;
        let Some(end) = end(&pdf[start..]) else { continue };
        let string = &mut pdf[start..start + end];
        // Text that is not ASCII is in UTF-16, as hexadecimal digits behind a byte order mark.
        let mark = if string.starts_with(b"<FEFF") { 5 } else { 1 };
        let Some(text) = string.get(mark..string.len() - 1) else { continue };
        let half = text.len() / 2;
        if half > 0 && text[..half] == text[half..] {
            let close = string[string.len() - 1];
            string[mark + half] = close;
            string[mark + half + 1..].fill(b' ');
        }
    }
}

/// Returns the length of the string that `bytes` begin with.
fn end(bytes: &[u8]) -> Option<usize> {
    if bytes.first() == Some(&b'<') {
        return bytes.iter().position(|byte| *byte == b'>').map(|at| at + 1);
    }
    let (mut depth, mut escaped) = (0, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(at + 1),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::mend;

    #[test]
    fn a_title_written_twice_is_halved_in_place() {
        for (from, to) in [
            ("<</Title (OneOne)\n/Dest", "<</Title (One)   \n/Dest"),
            ("<</Title (One)\n/Dest", "<</Title (One)\n/Dest"),
            ("<</Title (a \\(b\\)a \\(b\\))\n", "<</Title (a \\(b\\))       \n"),
            ("<</Title <FEFF00E900E9>\n", "<</Title <FEFF00E9>    \n"),
            ("<</Title ()\n<</Title (aa", "<</Title ()\n<</Title (aa"),
        ] {
            let mut bytes = from.as_bytes().to_vec();
            mend(&mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), to);
        }
    }
}
