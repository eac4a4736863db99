//! The flags that the examples take: `--json`, `--only VARIANT` and `--size`.

use super::size;
use std::io;
use std::process::ExitCode;

/// What an example was asked for.
#[derive(Clone, Debug)]
pub struct Flags {
    /// `--size 1MiB`: bytes.
    pub size: usize,
    /// `--json`: for a program, not for a person.
    pub json: bool,
    /// `--only VARIANT`: one run that nobody counts.
    pub only: Option<String>,
}

/// Runs an example with the flags of the command line: `only` must be one of `variants`, and an example with no size (`None`)
/// has no `--size`. Returns what `work` returns, 1 with its error, or 2 if the arguments make no sense.
pub fn run(variants: &[&str], size: Option<usize>, work: impl FnOnce(Flags) -> io::Result<ExitCode>) -> ExitCode {
    let flags = match read(lexopt::Parser::from_env(), variants, size) {
        Ok(flags) => flags,
        Err(error) => {
            let size = if size.is_some() { "--size 1MiB, " } else { "" };
            let only = if variants.is_empty() { "" } else { ", --only VARIANT" };
            eprintln!("{error} ({size}--json{only})");
            return ExitCode::from(2);
        }
    };
    work(flags).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn read(mut parser: lexopt::Parser, variants: &[&str], size: Option<usize>) -> Result<Flags, lexopt::Error> {
    use lexopt::prelude::*;
    let mut flags = Flags { size: size.unwrap_or(0), json: false, only: None };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("size") if size.is_some() => flags.size = parser.value()?.parse_with(size::parse)?,
            Long("json") => flags.json = true,
            Long("only") if !variants.is_empty() => {
                let name = parser.value()?.string()?;
                if !variants.contains(&name.as_str()) {
                    return Err(format!("--only {name}: not one of {}", variants.join(", ")).into());
                }
                flags.only = Some(name);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str], size: Option<usize>) -> Result<Flags, String> {
        let parser = lexopt::Parser::from_args(arguments);
        read(parser, &["one", "two"], size).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_read_and_nonsense_is_named() {
        let read = flags(&["--size", "4KiB", "--json", "--only", "two"], Some(1)).unwrap();
        assert_eq!((read.size, read.json, read.only.as_deref()), (4096, true, Some("two")));
        assert_eq!(flags(&[], Some(7)).unwrap().size, 7);
        for (arguments, named) in [
            (&["--only", "three"][..], "three"),
            (&["--size", "4 potatoes"], "potatoes"),
            (&["--colour"], "colour"),
            (&["stray"], "stray"),
            (&["--size"], "size"),
        ] {
            let error = flags(arguments, Some(1)).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(flags(&["--size", "1KiB"], None).is_err(), "this example has no size");
    }
}
