//! `cargo book build`, and the preprocessor that does the same for mdbook's own command.
//!
//! Both run the same preprocessor: the first inside this process, the second over mdbook's
//! protocol, which is JSON on stdin and stdout.

use crate::book::{self, Book, Judged, Measured};
use crate::chapter::{self, Page, includes, listings};
use crate::model::{Block, Error, Inline, Problem};
use crate::page::{appendix, card, figure, reference, solution, strip};
use crate::project::Project;
use maud::Markup;
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use mdbook_html::HtmlHandlebars;
use mdbook_preprocessor::book::{Book as Chapters, BookItem, Chapter};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext, parse_input};
use mdbook_renderer::Renderer;
use std::env;
use std::io;
use std::path::{self, Path, PathBuf};

/// The preprocessor's name, as `book.toml` has it.
const NAME: &str = "press";

/// Prints the book to `book/book/`.
///
/// # Errors
///
/// [`Error::Book`] with all the faults in the pages; the pages printed before stay.
/// [`Error::Failed`] if mdBook cannot read or write a file.
pub fn build(project: &Project) -> Result<(), Error> {
    build_to(project, &project.book().join("book"))
}

/// Prints the book to a folder, which mdBook empties first.
///
/// # Errors
///
/// As [`build`].
pub fn build_to(project: &Project, folder: &Path) -> Result<(), Error> {
    build_with(project, folder, &Measured::default(), &HtmlHandlebars::new())
}

/// Prints the book to a folder by `renderer`, with the measurements that were read before, if they
/// are still the same.
///
/// # Errors
///
/// As [`build`].
pub(super) fn build_with(
    project: &Project,
    folder: &Path,
    measured: &Measured,
    renderer: &dyn Renderer,
) -> Result<(), Error> {
    // Before mdBook empties the folder, so that the old pages survive a fault in the new ones.
    let book = load(project, measured)?;
    let mut printer = MDBook::load_with_config(project.book(), config(project)?)
        .map_err(|e| failed("reading the pages", &e))?;
    // mdBook would take a relative folder as one below the book.
    printer.config.build.build_dir = path::absolute(folder)
        .map_err(|e| Error::Failed(format!("finding the folder {}: {e}", folder.display())))?;
    printer.with_preprocessor(Press { book, root: project.root().to_owned() });
    printer.execute_build_process(renderer).map_err(|e| failed("printing the book", &e))
}

/// Reads `book.toml`, and the environment variables that replace its values.
///
/// mdBook panics if any variable at all is not UTF-8. If there is one, the variables are left
/// unread, and a variable meant for mdBook is an error.
fn config(project: &Project) -> Result<Config, Error> {
    let mut config = Config::from_disk(project.book().join("book.toml"))
        .map_err(|e| failed("reading book/book.toml", &e))?;
    let strange = env::vars_os().find(|(name, value)| name.to_str().and(value.to_str()).is_none());
    let Some((strange, _)) = strange else {
        config.update_from_env().map_err(|e| failed("applying the MDBOOK_ variables", &e))?;
        return Ok(config);
    };
    let mut names = env::vars_os().map(|(name, _)| name);
    match names.find(|name| name.to_string_lossy().starts_with("MDBOOK_")) {
        None => Ok(config),
        Some(name) if name == strange => Err(Error::Failed(format!(
            "the environment variable {} is not UTF-8",
            name.to_string_lossy()
        ))),
        Some(name) => Err(Error::Failed(format!(
            "mdBook cannot read the environment variable {} while {} is not UTF-8",
            name.to_string_lossy(),
            strange.to_string_lossy()
        ))),
    }
}

/// Answers mdbook, which calls `preprocess` without arguments or with `supports RENDERER`. Returns
/// `false` for a renderer that is not supported.
///
/// # Errors
///
/// As [`build`], and [`Error::Usage`] for other arguments.
pub fn preprocess(project: &Project, arguments: &[String]) -> Result<bool, Error> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["supports", renderer] => Ok(renderer == "html"),
        [] => {
            over_protocol(project, io::stdin().lock(), io::stdout().lock())?;
            Ok(true)
        }
        _ => Err(Error::Usage("preprocess takes no arguments, or `supports RENDERER`".to_owned())),
    }
}

/// Reads mdbook's chapters and writes them back with blocks and references replaced.
///
/// # Errors
///
/// As [`build`].
pub fn over_protocol(
    project: &Project,
    from: impl io::Read,
    to: impl io::Write,
) -> Result<(), Error> {
    let (context, chapters) =
        parse_input(from).map_err(|e| failed("reading the chapters that mdbook sends", &e))?;
    let project = of(&context, project);
    let book = load(&project, &Measured::default())?;
    let press = Press { book, root: project.root().to_owned() };
    let printed = press.run(&context, chapters).map_err(|e| failed("printing the book", &e))?;
    serde_json::to_writer(to, &printed)
        .map_err(|e| Error::Failed(format!("sending the chapters to mdbook: {e}")))
}

/// Returns the project whose book mdbook prints, which need not be the one that this process was
/// started for.
fn of(context: &PreprocessorContext, project: &Project) -> Project {
    let same = |a: &Path, b: &Path| {
        a == b || a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a))
    };
    match context.root.parent() {
        Some(root) if !same(&context.root, &project.book()) => Project::at(root),
        _ => project.clone(),
    }
}

/// Reads the book, or returns all the faults in its pages, missing includes among them.
fn load(project: &Project, measured: &Measured) -> Result<Book, Error> {
    let mut problems = includes::problems(project);
    match book::load_with(project, measured) {
        Ok(book) if problems.is_empty() => return Ok(book),
        Ok(_) => {}
        Err(Error::Book(more)) => problems.extend(more),
        Err(other) => return Err(other),
    }
    problems.sort();
    Err(Error::Book(problems))
}

/// Returns an error that says what was tried, with mdBook's causes.
fn failed(tried: &str, error: &mdbook_preprocessor::errors::Error) -> Error {
    // The alternate form prints the whole chain of causes.
    Error::Failed(format!("{tried}: {error:#}"))
}

/// The preprocessor: replaces blocks and references, and adds the appendix.
struct Press {
    book: Book,
    /// The project's folder.
    root: PathBuf,
}

impl Preprocessor for Press {
    fn name(&self) -> &str {
        NAME
    }

    fn supports_renderer(&self, renderer: &str) -> mdbook_preprocessor::errors::Result<bool> {
        Ok(renderer == "html")
    }

    fn run(
        &self,
        _: &PreprocessorContext,
        mut chapters: Chapters,
    ) -> mdbook_preprocessor::errors::Result<Chapters> {
        let mut problems = Vec::new();
        let claims = self.book.claims();
        chapters.for_each_chapter_mut(|chapter| self.print(chapter, &claims, &mut problems));
        if !problems.is_empty() {
            return Err(mdbook_preprocessor::errors::Error::msg(Error::Book(problems)));
        }
        chapters.push_item(BookItem::PartTitle("Appendix".to_owned()));
        for page in appendix::appendix(&self.book, &claims) {
            let mut chapter = Chapter::new(&page.title, page.markdown, &page.path, Vec::new());
            // A generated page has no file to edit.
            chapter.source_path = None;
            chapters.push_item(chapter);
        }
        Ok(chapters)
    }
}

impl Press {
    /// Prints one chapter of mdBook's.
    fn print(&self, chapter: &mut Chapter, claims: &[Judged<'_>], problems: &mut Vec<Problem>) {
        // Not `path`, which names the printed page: a README becomes index.html.
        let Some(source) = chapter.source_path.clone() else {
            return;
        };
        let page = match self.book.pages.iter().find(|page| page.path == source) {
            Some(page) if page.markdown == chapter.content => page.clone(),
            // Another preprocessor has changed the page: print what it left.
            _ => {
                let (page, wrong) = chapter::page(&source, &chapter.name, &chapter.content);
                problems.extend(wrong);
                page
            }
        };
        chapter.content = self.printed(&page, claims);
    }

    /// Returns a page's Markdown with blocks and references replaced, and listings dedented.
    fn printed(&self, page: &Page, claims: &[Judged<'_>]) -> String {
        let mut pieces: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        for block in &page.blocks {
            let piece = match &block.item {
                Block::Figure(figure) => self.book.memo.printed((figure, &page.path), || {
                    without_blank_lines(figure::figure(figure, &self.book, &page.path))
                }),
                Block::Claim(claim) => {
                    let judged = claims.iter().find(|judged| judged.claim.id == claim.id);
                    let card = judged.map(|judged| card::card(judged, &self.book));
                    without_blank_lines(card.unwrap_or_default())
                }
                Block::Solution(solution) => {
                    let of = self.book.exercise(page, solution.exercise);
                    let show =
                        |of| solution::solution(solution, of, &self.root, &page.path, claims);
                    of.map(show).unwrap_or_default()
                }
            };
            // With blank lines around it, the HTML neither joins a paragraph nor swallows one.
            pieces.push((block.range.clone(), format!("\n{piece}\n\n")));
        }
        if let Some(strip) = strip::strip(page, &self.book, claims) {
            let at = strip::place(page);
            pieces.push((at..at, format!("\n{}\n\n", without_blank_lines(strip))));
        }
        for reference in &page.inlines {
            let print =
                || reference::inline(&reference.item, &self.book, &page.path, claims).into_string();
            let piece = match &reference.item {
                // It quotes another block, which may have changed.
                Inline::Claim { .. } => print(),
                number => self.book.memo.printed((number, &page.path), print),
            };
            pieces.push((reference.range.clone(), piece));
        }
        let listings = listings::dedented(&page.markdown).into_iter();
        pieces.extend(listings.map(|listing| (listing.range, listing.item)));
        splice(&page.markdown, pieces)
    }
}

/// Removes blank lines, which would end the HTML block and turn the rest into Markdown.
fn without_blank_lines(html: Markup) -> String {
    html.into_string().lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// Replaces ranges of `text` by the pieces.
fn splice(text: &str, mut pieces: Vec<(std::ops::Range<usize>, String)>) -> String {
    // A piece that replaces nothing stands before the one that starts there.
    pieces.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut out, mut at) = (String::with_capacity(text.len() * 2), 0);
    for (range, piece) in pieces {
        out += &text[at..range.start];
        out += &piece;
        at = range.end;
    }
    out + &text[at..]
}
