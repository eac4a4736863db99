//! The links from the API documentation, which is published below the book in `api/`, to the
//! chapters.

use std::fs;
use std::path::Path;

/// Lists the modules of techniques and parts whose documentation does not link their page of the
/// book, one sentence each.
pub fn problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    for page in super::pages(root) {
        let Some((part, file)) = page.split_once('/') else { continue };
        let folder = format!("src/{}", part.replace('-', "_"));
        let (module, up) = match file.trim_end_matches(".md") {
            "index" => (format!("{folder}/mod.rs"), "../../.."),
            name => (format!("{folder}/{}/mod.rs", name.replace('-', "_")), "../../../.."),
        };
        let Ok(source) = fs::read_to_string(root.join(&module)) else { continue };
        let link = format!("({up}/{part}/{})", file.replace(".md", ".html"));
        let documentation = source.lines().filter(|line| line.starts_with("//!"));
        if !documentation.into_iter().any(|line| line.contains(&link)) {
            found.push(format!("{module} does not link its page, {link}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_does_not_link_its_chapter_is_found() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("book/src/zero-copy/a-b.md", "# A\n");
        write("book/src/zero-copy/index.md", "# Part\n");
        write("src/zero_copy/a_b/mod.rs", "//! See [a](../../../../zero-copy/a-b.html).\n");
        write("src/zero_copy/mod.rs", "// [a](../../../zero-copy/index.html)\n");
        let link = "(../../../zero-copy/index.html)";
        let expected = format!("src/zero_copy/mod.rs does not link its page, {link}");
        assert_eq!(problems(root.path()), [expected]);
    }
}
