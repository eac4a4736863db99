//! Mends the outline of a PDF of Chromium's, which has a piece of a heading twice if the browser
//! lays the heading out twice.

use std::fmt::Write;

/// Writes `titles`, in the order of print, into the outline. A title is never longer than the one
/// that it replaces, so the file keeps its length, and with it the places of its objects. If the
/// outline has another number of entries, it stays as it is.
pub fn mend(pdf: &mut [u8], titles: &[String]) {
    let mut places = places(pdf);
    // Chromium numbers the entries in the order of print, and writes those below an entry first.
    places.sort_by_key(|(number, _)| *number);
    if places.len() != titles.len() {
        return;
    }
    for ((_, place), title) in places.into_iter().zip(titles) {
        let encoded = encoded(title);
        let room = &mut pdf[place];
        if encoded.len() <= room.len() {
            room.fill(b' ');
            room[..encoded.len()].copy_from_slice(encoded.as_bytes());
        }
    }
}

/// Returns the number of each entry's object, and the bytes of its title.
fn places(pdf: &[u8]) -> Vec<(usize, std::ops::Range<usize>)> {
    const TITLE: &[u8] = b" 0 obj\n<</Title ";
    let (mut places, mut at) = (Vec::new(), 0);
    while let Some(found) = pdf[at..].windows(TITLE.len()).position(|window| window == TITLE) {
        let before = &pdf[..at + found];
        let start = at + found + TITLE.len();
        at = start;
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&before[before.len() - digits..]).unwrap_or_default();
        // The file's own title has no destination.
        if let (Ok(number), Some(end)) = (number.parse(), end(&pdf[start..]))
            && pdf[start + end..].starts_with(b"\n/Dest")
        {
            places.push((number, start..start + end));
        }
    }
    places
}

/// Returns a title as Chromium writes it: text that is not ASCII is in UTF-16, as hexadecimal
/// digits behind a byte order mark.
fn encoded(title: &str) -> String {
    if title.is_ascii() {
        let escaped = title.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
        return format!("({escaped})");
    }
    let mut digits = String::from("<FEFF");
    for unit in title.encode_utf16() {
        let _ = write!(digits, "{unit:04X}");
    }
    digits + ">"
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
    fn titles_are_replaced_in_place_and_in_the_order_of_print() {
        let pdf = "1 0 obj\n<</Title (A Book)\n/Creator (C)>>\n\
                   9 0 obj\n<</Title (a \\(b\\)a \\(b\\))\n/Dest [1 0 R]>>\n\
                   8 0 obj\n<</Title (OneOne)\n/Dest [1 0 R]>>\n\
                   10 0 obj\n<</Title <FEFF00E900E9>\n/Dest [1 0 R]>>\n";
        let mended = |titles: &[&str]| {
            let mut bytes = pdf.as_bytes().to_vec();
            mend(&mut bytes, &titles.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
            String::from_utf8(bytes).unwrap()
        };
        let expected = pdf
            .replace("(OneOne)", "(One)   ")
            .replace("(a \\(b\\)a \\(b\\))", "(a \\(b\\))       ")
            .replace("<FEFF00E900E9>", "<FEFF00E9>    ");
        assert_eq!(mended(&["One", "a (b)", "é"]), expected);
        assert_eq!(mended(&["One", "a (b)"]), pdf, "an entry is missing");
    }
}
