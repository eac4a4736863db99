//! The commands with which a reader begins.

use maud::{Markup, html};

/// Renders the commands that fetch `repository`, and those to run there. Without an address, a
/// comment stands in for it.
#[must_use]
pub fn start(repository: Option<&str>, then: &[String]) -> Markup {
    let mut lines = match repository {
        Some(url) => vec![format!("git clone {url}"), format!("cd {}", folder(url))],
        None => vec!["# in a clone of this repository".to_owned()],
    };
    lines.extend_from_slice(then);
    html! { pre { code class="language-sh" { (lines.join("\n")) } } }
}

/// Returns the folder that `git clone` makes for an address.
fn folder(url: &str) -> &str {
    let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or(url);
    name.strip_suffix(".git").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_book_or_none() {
        let then = ["cargo book".to_owned()];
        let html = start(Some("https://example.org/a/fork.git/"), &then).into_string();
        assert!(html.contains("git clone https://example.org/a/fork.git/\ncd fork\ncargo book<"));
        let html = start(None, &then).into_string();
        assert!(html.contains("># in a clone of this repository\ncargo book<"), "{html}");
    }
}
