//! `cargo book build`, and the preprocessor that does the same for mdbook's own command.
//!
//! Both run the same preprocessor: the first inside this process, the second over mdbook's
//! protocol, which is JSON on stdin and stdout.

use super::folders::write;
use crate::book::{self, Book, Judged, Measured};
use crate::chapter::{self, Page, includes, listings, sections};
use crate::model::{Block, Error, Figure, Generated, Inline, Place, Problem, Spanned};
use crate::page::beside::{self, Extras};
use crate::page::figure::{self, Downloads, Looks};
use crate::page::meta::Site;
use crate::page::paper::{Printed, lists};
use crate::page::programs::About;
use crate::page::{
    appendix, belief, card, listing, live, overview, programs, reference, solution, start, strip,
};
use crate::project::Project;
use maud::Markup;
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use mdbook_html::HtmlHandlebars;
use mdbook_preprocessor::book::{Book as Chapters, BookItem, Chapter};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext, parse_input};
use mdbook_renderer::{RenderContext, Renderer};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{self, Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The title of the last part.
const APPENDIX: &str = "Appendix";

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
    build_with(project, folder, &Measured::default(), &Pages)
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
    let config = config(project)?;
    programs(print(project, folder, config, Form::Site(None), measured, renderer)?, folder)
}

/// Prints the book to a folder, which mdBook empties first, with links to what is to be copied into
/// it: the API documentation and the files of `extras`.
///
/// # Errors
///
/// As [`build`].
pub fn with_extras(project: &Project, folder: &Path, extras: Extras) -> Result<(), Error> {
    let (config, form) = (config(project)?, Form::Site(Some(extras)));
    let measured = Measured::default();
    programs(print(project, folder, config, form, &measured, &Pages)?, folder)
}

/// Writes the files for programs.
fn programs(printed: Outcome, folder: &Path) -> Result<(), Error> {
    for (name, text) in &printed.programs {
        write(&folder.join(name), text)?;
    }
    Ok(())
}

/// Returns what `book.toml` and the environment say of the book.
///
/// # Errors
///
/// [`Error::Failed`] if `book.toml` cannot be read.
pub fn about(project: &Project) -> Result<About, Error> {
    Ok(About::of(&config(project)?))
}

/// Prints the book to a folder, with the appendix in short form and without search, and returns its
/// chapters in order.
///
/// # Errors
///
/// As [`build`].
pub fn for_paper(project: &Project, folder: &Path) -> Result<(Vec<Printed>, About), Error> {
    let mut config = config(project)?;
    let set = |config: &mut Config, key, value| {
        config.set(key, value).map_err(|e| failed("configuring the book for paper", &e))
    };
    set(&mut config, "output.html.search.enable", false)?;
    set(&mut config, "output.html.print.enable", true)?;
    let about = About::of(&config);
    let measured = Measured::default();
    let printed = print(project, folder, config, Form::Paper, &measured, &Pages)?;
    Ok((printed.chapters, about))
}

/// The form that a book is printed in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Pages for a browser, with what is published beside them, if anything.
    Site(Option<Extras>),
    /// One page for a printer.
    Paper,
}

/// The files and the chapters of a book, known once it is printed.
#[derive(Clone, Debug, Default)]
struct Outcome {
    /// The names and contents of the files for programs.
    programs: Vec<(&'static str, String)>,
    /// The chapters, in order.
    chapters: Vec<Printed>,
}

/// mdBook's renderer, with the descriptions of the pages put in.
pub(super) struct Pages;

impl Renderer for Pages {
    fn name(&self) -> &str {
        "html"
    }

    fn render(&self, context: &RenderContext) -> mdbook_preprocessor::errors::Result<()> {
        HtmlHandlebars::new().render(context)?;
        Ok(Site::new(&context.config).finish(&context.destination)?)
    }
}

/// Prints the book to a folder in one form.
fn print(
    project: &Project,
    folder: &Path,
    config: Config,
    form: Form,
    measured: &Measured,
    renderer: &dyn Renderer,
) -> Result<Outcome, Error> {
    // Before mdBook empties the folder, so that the old pages survive a fault in the new ones.
    let book = load(project, measured)?;
    let mut printer = MDBook::load_with_config(project.book(), config)
        .map_err(|e| failed("reading the pages", &e))?;
    // mdBook would take a relative folder as one below the book.
    printer.config.build.build_dir = path::absolute(folder)
        .map_err(|e| Error::Failed(format!("finding the folder {}: {e}", folder.display())))?;
    let tables = figure::tables(&book);
    let downloads = Downloads::Files;
    let press = Press { form, downloads, ..Press::new(book, project) };
    let outcome = Arc::clone(&press.outcome);
    printer.with_preprocessor(press);
    printer.execute_build_process(renderer).map_err(|e| failed("printing the book", &e))?;
    write_tables(&tables, &folder.join(figure::FOLDER))?;
    Ok(outcome.get().cloned().unwrap_or_default())
}

/// Writes the tables of the figures into a folder.
fn write_tables(tables: &BTreeMap<String, String>, folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder)
        .map_err(|e| Error::Failed(format!("cannot create {}: {e}", folder.display())))?;
    tables.iter().try_for_each(|(group, table)| write(&folder.join(format!("{group}.csv")), table))
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
    let press = Press::new(load(&project, &Measured::default())?, &project);
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
    form: Form,
    /// Set once the chapters are printed: mdBook's protocol has no place for files that are no
    /// chapters, so that only `cargo book build` writes them.
    outcome: Arc<OnceLock<Outcome>>,
    /// The place of the figures' tables.
    downloads: Downloads,
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
        context: &PreprocessorContext,
        mut chapters: Chapters,
    ) -> mdbook_preprocessor::errors::Result<Chapters> {
        let mut problems = Vec::new();
        let claims = self.book.claims();
        let repository = repository(&context.config);
        chapters.for_each_chapter_mut(|chapter| {
            self.print(chapter, &claims, repository.as_deref(), &mut problems);
        });
        if !problems.is_empty() {
            return Err(mdbook_preprocessor::errors::Error::msg(Error::Book(problems)));
        }
        let (programs, pages) = match &self.form {
            Form::Site(extras) => {
                let mut pages = appendix::appendix(&self.book, &claims);
                pages.extend(extras.as_ref().map(beside::page));
                (programs::files(&context.config, &chapters.items, &self.book, &claims), pages)
            }
            Form::Paper => (Vec::new(), lists::appendix(&self.book, &claims)),
        };
        chapters.push_item(BookItem::PartTitle(APPENDIX.to_owned()));
        for page in pages {
            let mut chapter = Chapter::new(&page.title, page.markdown, &page.path, Vec::new());
            // A generated page has no file to edit.
            chapter.source_path = None;
            chapters.push_item(chapter);
        }
        // Once: mdBook runs a preprocessor again for each renderer that it supports.
        let _ = self.outcome.set(Outcome { programs, chapters: listed(&chapters.items) });
        Ok(chapters)
    }
}

impl Press {
    fn new(book: Book, project: &Project) -> Press {
        let root = project.root().to_owned();
        // mdbook empties the folder that it prints to, so there is no place yet for other files.
        let downloads = Downloads::Inside;
        Press { book, root, form: Form::Site(None), outcome: Arc::default(), downloads }
    }

    /// Prints one chapter of mdBook's.
    fn print(
        &self,
        chapter: &mut Chapter,
        claims: &[Judged<'_>],
        repository: Option<&str>,
        problems: &mut Vec<Problem>,
    ) {
        // Not `path`, which names the printed page: a README becomes index.html.
        let Some(source) = chapter.source_path.clone() else {
            return;
        };
        let written = self.book.pages.iter().find(|page| page.path == source);
        let page = match written {
            Some(page) if page.markdown == chapter.content => page.clone(),
            // Another preprocessor has changed the page, such as mdBook's own, which puts included
            // code in: print what it left.
            _ => {
                let (page, wrong) = chapter::page(&source, &chapter.name, &chapter.content);
                problems.extend(wrong);
                page
            }
        };
        let written = written.map_or("", |page| &page.markdown);
        chapter.content = self.printed(&page, written, claims, repository);
        if let Form::Site(Some(_)) = self.form
            && let Some(link) = beside::module(&page, &self.root)
        {
            chapter.content += &format!("\n\n{}\n", link.into_string());
        }
    }

    /// Returns a page's Markdown with blocks and references replaced, listings captioned, and
    /// sections given their anchors.
    /// `written` is the page before mdBook put included code in.
    fn printed(
        &self,
        page: &Page,
        written: &str,
        claims: &[Judged<'_>],
        repository: Option<&str>,
    ) -> String {
        let mut pieces: Vec<(Range<usize>, String)> = Vec::new();
        let looks = figure::looks(page, &self.book);
        for block in &page.blocks {
            let piece = match &block.item {
                Block::Figure(figure) => {
                    let mut piece = self.figure(figure, &looks, page);
                    if self.form != Form::Paper
                        && let Some(other) = figure::other_clock(figure, page, &self.book)
                    {
                        // For a script, which puts it in the figure's place.
                        let other = self.figure(&other, &looks, page);
                        piece += &format!("\n<div class=\"other-clock\" hidden>\n{other}\n</div>");
                    }
                    piece
                }
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
                Block::Belief(belief) => {
                    let says = splice(&belief.says, self.references(&belief.inlines, page, claims));
                    belief::belief(belief, &says, &self.book, &page.path, claims)
                }
                Block::Generated(generated) => {
                    without_blank_lines(self.generated(generated, page, claims, repository))
                }
            };
            // With blank lines around it, the HTML neither joins a paragraph nor swallows one.
            pieces.push((block.range.clone(), format!("\n{piece}\n\n")));
        }
        if let Some(strip) = strip::strip(page, &self.book, claims) {
            let at = strip::place(page);
            pieces.push((at..at, format!("\n{}\n\n", without_blank_lines(strip))));
        }
        pieces.extend(self.references(&page.inlines, page, claims));
        let published = matches!(self.form, Form::Site(Some(_)));
        let documented = published.then_some(self.root.as_path());
        let replaced: Vec<_> = pieces.iter().map(|(range, _)| range.clone()).collect();
        for shown in listings::listings(&page.markdown, written) {
            if !replaced.contains(&shown.range) {
                let markdown = listing::listing(&shown, &page.path, repository, documented);
                pieces.push((shown.range, markdown));
            }
        }
        let anchors = sections::anchors(&page.markdown).into_iter();
        pieces.extend(anchors.map(|anchor| (anchor.range, anchor.item)));
        splice(&page.markdown, pieces)
    }

    /// Returns a figure of `page`.
    fn figure(&self, figure: &Figure, looks: &Looks, page: &Page) -> String {
        let (path, downloads) = (page.path.as_path(), self.downloads);
        // Without its line, which every edit above it changes.
        let place = Place { page: PathBuf::new(), line: 0 };
        let question = Figure { place, ..figure.clone() };
        self.book.memo.printed((question, looks, path, downloads), || {
            let print = |book| figure::figure(figure, looks, book, path, downloads);
            without_blank_lines(match figure.small {
                true => print(&self.book.reference_alone()),
                false => print(&self.book),
            })
        })
    }

    /// Returns what replaces each reference on `page`.
    fn references(
        &self,
        inlines: &[Spanned<Inline>],
        page: &Page,
        claims: &[Judged<'_>],
    ) -> Vec<(Range<usize>, String)> {
        let printed = |one: &Spanned<Inline>| {
            let print =
                || reference::inline(&one.item, &self.book, &page.path, claims).into_string();
            let piece = match &one.item {
                // It quotes another block, which may have changed.
                Inline::Claim { .. } => print(),
                number => self.book.memo.printed((number, &page.path), print),
            };
            (one.range.clone(), piece)
        };
        inlines.iter().map(printed).collect()
    }

    /// Renders a block that is filled from the whole book.
    fn generated(
        &self,
        block: &Generated,
        page: &Page,
        claims: &[Judged<'_>],
        repository: Option<&str>,
    ) -> Markup {
        match block {
            Generated::Beliefs => overview::beliefs(&self.book, page, claims),
            Generated::Claims => overview::claims(&self.book, &page.path, claims),
            Generated::Clone { then } => start::start(repository, then),
            Generated::Live { claim, .. } => {
                let judged = claims.iter().find(|judged| judged.claim.id == *claim);
                judged.map_or_else(Markup::default, |one| live::live(one, &self.book, &page.path))
            }
        }
    }
}

/// Returns the repository's address, which `book.toml` or the environment may name.
fn repository(config: &Config) -> Option<String> {
    let url = config.html_config()?.git_repository_url?;
    Some(url.trim_end_matches('/').to_owned())
}

/// Returns all chapters in order. Those before the first part are of none, and those after a line
/// belong to the appendix.
fn listed(items: &[BookItem]) -> Vec<Printed> {
    fn add(chapter: &Chapter, part: Option<&String>, all: &mut Vec<Printed>) {
        // A draft is not printed.
        if chapter.path.is_some() {
            all.push(Printed { part: part.cloned(), title: chapter.name.clone() });
        }
        for item in &chapter.sub_items {
            if let BookItem::Chapter(chapter) = item {
                add(chapter, part, all);
            }
        }
    }
    let (mut all, mut part) = (Vec::new(), None);
    for item in items {
        match item {
            BookItem::PartTitle(title) => part = Some(title.clone()),
            BookItem::Separator => part = Some(APPENDIX.to_owned()),
            BookItem::Chapter(chapter) => add(chapter, part.as_ref(), &mut all),
        }
    }
    all
}

/// Removes blank lines, which would end the HTML block and turn the rest into Markdown.
fn without_blank_lines(html: Markup) -> String {
    html.into_string().lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// Replaces ranges of `text` by the pieces.
fn splice(text: &str, mut pieces: Vec<(Range<usize>, String)>) -> String {
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
