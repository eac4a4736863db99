//! The pieces that the appendix's pages share.

use crate::page::html::{scrolling, sentence};
use maud::{Markup, html};
use std::path::PathBuf;

/// A page without a source file.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its title.
    pub title: String,
    /// The path of its source below `book/src`, had it one.
    pub path: PathBuf,
    /// Markdown.
    pub markdown: String,
}

/// Renders a table whose first column names the row, as a block of its own in Markdown.
pub(super) fn table(
    label: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    rows_of(label, columns, rows).into_string() + "\n\n"
}

/// Renders such a table, to stand inside other HTML.
pub(super) fn rows_of(
    label: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Markup {
    scrolling(
        label,
        html! {
            table {
                (head(&columns.iter().map(|name| html! { (name) }).collect::<Vec<_>>()))
                tbody {
                    @for row in rows {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                // A blank line inside would end the HTML block.
                                @let cell = sentence(&cell.replace('\n', " "));
                                @if i == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        },
    )
}

/// Folds what few readers look for below one line, as a block of its own in Markdown.
pub(super) fn fold(summary: &str, content: Markup) -> String {
    let html = html! { details class="more" { summary { (sentence(summary)) } (content) } };
    // A blank line would end the HTML block.
    let lines: Vec<String> = html.into_string().lines().map(str::to_owned).collect();
    lines.into_iter().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n") + "\n\n"
}

/// Renders a table's head.
pub(super) fn head(columns: &[Markup]) -> Markup {
    html! { thead { tr { @for name in columns { th scope="col" { (name) } } } } }
}

/// Renders text as a paragraph of its own in which Markdown finds no markup.
pub(super) fn paragraph(text: &str) -> String {
    html! { p { (sentence(&text.replace('\n', " "))) } }.into_string()
}

/// Escapes what Markdown would take for markup in a heading; code spans stay.
pub(super) fn heading(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('*', "\\*").replace('_', "\\_").replace('<', "&lt;")
}
