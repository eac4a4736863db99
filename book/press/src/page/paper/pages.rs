//! Reads from a PDF of Chromium's on which page each anchor is.
//!
//! Chromium writes the page tree and the named destinations as plain objects, uncompressed.

use percent_encoding::percent_decode_str;
use regex::{Captures, Regex};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// Returns the page of each named destination, counted from 1. A destination that the file does not
/// place is left out.
#[must_use]
pub fn pages(pdf: &[u8]) -> BTreeMap<String, usize> {
    read(pdf).unwrap_or_default()
}

fn read(pdf: &[u8]) -> Option<BTreeMap<String, usize>> {
    static DESTINATION: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"/([^\s\[/<>()]+) \[(\d+) 0 R /XYZ").expect("a constant"));
    let file = File::open(pdf)?;
    let catalog = file.object(reference(file.trailer, "/Root ")?)?;
    let mut order = Vec::new();
    file.leaves(reference(catalog, "/Pages ")?, &mut order);
    let at: HashMap<usize, usize> = order.into_iter().zip(1..).collect();
    let destinations = file.object(reference(catalog, "/Dests ")?)?;
    let place = |found: Captures<'_>| Some((name(&found[1]), *at.get(&found[2].parse().ok()?)?));
    Some(DESTINATION.captures_iter(destinations).filter_map(place).collect())
}

/// A file with the places of its objects.
struct File<'a> {
    bytes: &'a [u8],
    /// The offsets by the objects' numbers.
    offsets: Vec<usize>,
    trailer: &'a str,
}

impl<'a> File<'a> {
    /// Reads the table of objects, whose offset is at the end of the file.
    fn open(bytes: &'a [u8]) -> Option<File<'a>> {
        let end = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1024)..]);
        let (_, end) = end.rsplit_once("startxref\n")?;
        let table = text(bytes, end.split('\n').next()?.parse().ok()?);
        let (table, trailer) = table.split_once("trailer")?;
        let offsets = table.lines().skip(2).map(|line| line.split(' ').next()?.parse().ok());
        Some(File { bytes, offsets: offsets.map(Option::unwrap_or_default).collect(), trailer })
    }

    /// Returns an object without a stream.
    fn object(&self, number: usize) -> Option<&'a str> {
        let offset = *self.offsets.get(number)?;
        let rest = self.bytes.get(offset..)?;
        let end = rest.windows(6).position(|window| window == b"endobj")?;
        std::str::from_utf8(&rest[..end]).ok()
    }

    /// Appends the pages below a node of the page tree, in order.
    fn leaves(&self, node: usize, order: &mut Vec<usize>) {
        let Some(object) = self.object(node) else { return };
        let Some((_, kids)) = object.split_once("/Kids [") else {
            order.push(node);
            return;
        };
        let kids = kids.split(']').next().unwrap_or_default().split(" 0 R");
        for kid in kids.filter_map(|kid| kid.trim().parse().ok()) {
            self.leaves(kid, order);
        }
    }
}

/// Returns the bytes from `offset` on as text, up to the first that is none.
fn text(bytes: &[u8], offset: usize) -> &str {
    let rest = bytes.get(offset..).unwrap_or_default();
    std::str::from_utf8(rest)
        .unwrap_or_else(|e| std::str::from_utf8(&rest[..e.valid_up_to()]).unwrap_or_default())
}

/// Returns the number of the object that `key` refers to.
fn reference(object: &str, key: &str) -> Option<usize> {
    object.split_once(key)?.1.split(' ').next()?.parse().ok()
}

/// Decodes a name, in which the file writes `#20` for a space; an anchor is percent-encoded
/// besides.
fn name(text: &str) -> String {
    let once = percent_decode_str(&text.replace('#', "%")).decode_utf8_lossy().into_owned();
    percent_decode_str(&once).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes objects, in the order of their numbers from 1, as a PDF.
    fn pdf(objects: &[&str], root: usize) -> Vec<u8> {
        let mut out = b"%PDF-1.4\n%\xd3\xeb\n".to_vec();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
        for (object, number) in objects.iter().zip(1..) {
            table += &format!("{:010} 00000 n \n", out.len());
            out.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
        }
        let at = out.len();
        let end = format!("trailer\n<</Size 9\n/Root {root} 0 R>>\nstartxref\n{at}\n%%EOF\n");
        out.extend((table + &end).bytes());
        out
    }

    #[test]
    fn destinations_are_found_through_the_page_tree() {
        let file = pdf(
            &[
                "<</Type /Page>>",
                "<</Type /Page>>",
                "<</Type /Pages\n/Kids [1 0 R]>>",
                "<</Type /Pages\n/Kids [5 0 R 3 0 R 2 0 R]>>",
                "<</Type /Page>>",
                "<</a [1 0 R /XYZ 0 1 0]\n/two#2520words [2 0 R /XYZ 0 1 0]\n/gone [9 0 R /XYZ 0 1 0]>>",
                "<</Type /Catalog\n/Pages 4 0 R\n/Dests 6 0 R>>",
            ],
            7,
        );
        let expected = [("a".to_owned(), 2), ("two words".to_owned(), 3)];
        assert_eq!(pages(&file), BTreeMap::from(expected));
        assert!(pages(b"no PDF").is_empty());
        assert!(pages(&file[..file.len() / 2]).is_empty(), "a part of a file");
    }
}
