//! `cargo book`; the README describes the commands.

use lexopt::prelude::*;
use press::cmd::{build, check, pack, pdf, record, serve, site, validate};
use press::model::Error;
use press::project::Project;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Prints the book, checks its claims, and measures.

Usage: cargo book [COMMAND] [OPTIONS]

Commands:
  serve       print the book, serve it on localhost, and print it again after every change
              (the default command)
                --open                  open a browser
                --port PORT             listen on this port; otherwise on the first free one
  build       print the book to book/book/
  check       run every example and model, and list every claim with its verdict here;
              exit with 1 if one fails
                --claim ID              check only this claim; may be repeated
                --chapter NAME          check only the claims of this chapter, named by its path:
                                        zero-copy/sendfile; may be repeated
                --json                  print a JSON array
                --recorded              run nothing, judge the recordings: exit with 1 unless
                                        every clocked and counted claim holds on one machine
                                        and fails on none
                --strict                with --recorded: exit with 1 if a bound is loose, too, or a
                                        bench is not recorded
  record      measure in rounds, into book/machines/NAME/
                --bench NAME            measure only this bench; may be repeated
                --rounds N              rounds of every bench (default: 9)
                --minutes N             as many rounds as fit into N minutes, at least three of
                                        each bench: those with the most claims first
                --machine NAME          name of the machine (default: here)
                --about TEXT            a sentence about the machine
                --by NAME               the person or team that contributes it
                --replace               replace existing recordings
                --counts                measure nothing, only count and prove again
  validate    say whether recordings can become part of the book: exit with 1 if one is refused
                [MACHINE...]            only these; otherwise all in book/machines
  archive     pack the book and its API documentation, to read offline, into target/proved/
  site        gather all that is published in target/proved/site/: the book, its API
              documentation, the archive and the PDF
                --to FOLDER             gather it here instead
  pdf         print the book as a PDF, by Chromium, to target/proved/
                --to FILE               write this file instead
  pack        pack the built benches into an archive for a machine without cargo or network
  preprocess  serve as mdbook's preprocessor; mdbook runs it

  -h, --help  print this text
";

/// A command with its options.
enum Command {
    Help,
    Serve(serve::Options),
    Build,
    Check(check::Options),
    Record(record::Options),
    Archive,
    Site(Option<PathBuf>),
    Pdf(Option<PathBuf>),
    Pack,
    Validate(Vec<String>),
    Preprocess(Vec<String>),
}

fn main() -> ExitCode {
    let outcome = parse(lexopt::Parser::from_env())
        .map_err(|e| Error::Usage(format!("{e}; `cargo book --help` lists the commands")))
        .and_then(run);
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(if matches!(e, Error::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// Runs a command. Returns `false` if its answer is no, which exits with 1.
fn run(command: Command) -> Result<bool, Error> {
    if let Command::Help = command {
        print!("{HELP}");
        return Ok(true);
    }
    let project = Project::find()?;
    match command {
        Command::Help => Ok(true),
        Command::Serve(options) => serve::run(&project, &options).map(|()| true),
        Command::Build => build::build(&project).map(|()| true),
        Command::Check(options) if options.strict && !options.recorded => {
            Err(Error::Usage("--strict has no meaning without --recorded".to_string()))
        }
        Command::Check(options) => check::run(&project, &options),
        Command::Record(options) => record::run(&project, &options).map(|()| true),
        Command::Validate(names) => validate::run(&project, &names),
        Command::Archive => told(site::archive(&project)),
        Command::Site(to) => told(site::run(&project, to.as_deref())),
        Command::Pdf(to) => told(pdf::run(&project, to.as_deref())),
        Command::Pack => pack::run(&project).map(|_| true),
        Command::Preprocess(arguments) => build::preprocess(&project, &arguments),
    }
}

/// Prints the path of what a command wrote.
fn told(written: Result<PathBuf, Error>) -> Result<bool, Error> {
    written.map(|path| {
        println!("{}", path.display());
        true
    })
}

fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut command = Command::Serve(serve::Options::default());
    let mut named = false;
    while let Some(argument) = arguments.next()? {
        match (argument, &mut command) {
            (Short('h') | Long("help"), _) => return Ok(Command::Help),
            (Value(name), _) if !named => {
                named = true;
                command = match name.to_str() {
                    Some("serve") => Command::Serve(serve::Options::default()),
                    Some("build") => Command::Build,
                    Some("check") => Command::Check(check::Options::default()),
                    Some("record") => Command::Record(record::Options::default()),
                    Some("validate") => Command::Validate(Vec::new()),
                    Some("archive") => Command::Archive,
                    Some("site") => Command::Site(None),
                    Some("pdf") => Command::Pdf(None),
                    Some("pack") => Command::Pack,
                    Some("preprocess") => Command::Preprocess(Vec::new()),
                    _ => return Err(format!("unknown command {}", name.to_string_lossy()).into()),
                };
            }
            (Value(name), Command::Validate(names)) => names.push(name.string()?),
            (Value(word), Command::Preprocess(words)) => words.push(word.string()?),
            (Long("open"), Command::Serve(options)) => options.open = true,
            (Long("port"), Command::Serve(options)) => {
                options.port = Some(arguments.value()?.parse()?)
            }
            (Long("claim"), Command::Check(options)) => {
                options.claims.push(arguments.value()?.string()?)
            }
            (Long("chapter"), Command::Check(options)) => {
                options.chapters.push(arguments.value()?.string()?)
            }
            (Long("json"), Command::Check(options)) => options.json = true,
            (Long("recorded"), Command::Check(options)) => options.recorded = true,
            (Long("strict"), Command::Check(options)) => options.strict = true,
            (Long("to"), Command::Pdf(to) | Command::Site(to)) => {
                *to = Some(arguments.value()?.into())
            }
            (Long("bench"), Command::Record(options)) => {
                options.benches.push(arguments.value()?.string()?)
            }
            (Long("rounds"), Command::Record(options)) => {
                options.rounds = arguments.value()?.parse()?
            }
            (Long("minutes"), Command::Record(options)) => {
                options.minutes = Some(arguments.value()?.parse()?)
            }
            (Long("machine"), Command::Record(options)) => {
                options.machine = arguments.value()?.string()?
            }
            (Long("about"), Command::Record(options)) => {
                options.about = Some(arguments.value()?.string()?)
            }
            (Long("by"), Command::Record(options)) => {
                options.by = Some(arguments.value()?.string()?)
            }
            (Long("replace"), Command::Record(options)) => options.replace = true,
            (Long("counts"), Command::Record(options)) => options.counts = true,
            (argument, _) => return Err(argument.unexpected()),
        }
    }
    Ok(command)
}
