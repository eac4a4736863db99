//! The flags that the examples take: `--json`, `--only VARIANT`, `--size`, and what an example has
//! of its own.

use super::size;
use std::process::ExitCode;
use std::str::FromStr;
use std::{error, fmt, io};

/// What an example was asked for.
#[derive(Clone, Debug)]
pub struct Flags {
    /// `--size 1MiB`: bytes.
    pub size: usize,
    /// `--json`: for a program, not for a person.
    pub json: bool,
    /// `--only VARIANT`: one run that nobody counts.
    pub only: Option<String>,
    /// The example's own flags that were given, with their values.
    own: Vec<(&'static str, String)>,
}

impl Flags {
    /// The value of one of the example's own flags, empty if it takes none; `None` if it was not
    /// given.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.own.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// As [`own`](Self::own), read as a `T`.
    ///
    /// # Errors
    ///
    /// If the value is none. Return it from the example's work: the arguments make no sense then.
    pub fn own_as<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> io::Result<Option<T>> {
        let read = |value: &str| {
            value.parse().map_err(|error| Nonsense(format!("--{name} {value}: {error}")))
        };
        self.own(name)
            .map(read)
            .transpose()
            .map_err(|nonsense| io::Error::new(io::ErrorKind::InvalidInput, nonsense))
    }
}

/// What is wrong with an argument.
#[derive(Debug)]
struct Nonsense(String);

impl fmt::Display for Nonsense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Nonsense {}

/// A flag of one example alone: its name, and a value as the usage shows it, or nothing if it takes
/// none.
pub type Own = (&'static str, &'static str);

/// Runs an example with the flags of the command line: `only` must be one of `variants`, and an
/// example with no size (`None`) has no `--size`. Returns what `work` returns, 1 with its error, or
/// 2 if the arguments make no sense.
pub fn run(
    variants: &[&str],
    size: Option<usize>,
    work: impl FnOnce(Flags) -> io::Result<ExitCode>,
) -> ExitCode {
    run_with(variants, size, &[], work)
}

/// As [`run`], for an example with flags of its own.
pub fn run_with(
    variants: &[&str],
    size: Option<usize>,
    own: &[Own],
    work: impl FnOnce(Flags) -> io::Result<ExitCode>,
) -> ExitCode {
    let refused = |error: &dyn fmt::Display| {
        eprintln!("{error} ({})", usage(variants, size, own));
        ExitCode::from(2)
    };
    let flags = match read(lexopt::Parser::from_env(), variants, size, own) {
        Ok(flags) => flags,
        Err(error) => return refused(&error),
    };
    match work(flags) {
        Ok(code) => code,
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<Nonsense>()) => {
            refused(&error)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(variants: &[&str], size: Option<usize>, own: &[Own]) -> String {
    let size = size.map(|_| "--size 1MiB".to_owned());
    let only = (!variants.is_empty()).then(|| "--only VARIANT".to_owned());
    let own = own.iter().map(|(name, value)| format!("--{name} {value}").trim_end().to_owned());
    size.into_iter()
        .chain(["--json".to_owned()])
        .chain(only)
        .chain(own)
        .collect::<Vec<_>>()
        .join(", ")
}

fn read(
    mut parser: lexopt::Parser,
    variants: &[&str],
    size: Option<usize>,
    own: &[Own],
) -> Result<Flags, lexopt::Error> {
    use lexopt::prelude::*;
    let mut flags = Flags { size: size.unwrap_or(0), json: false, only: None, own: vec![] };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("size") if size.is_some() => {
                flags.size = parser.value()?.parse_with(size::parse)?
            }
            Long("json") => flags.json = true,
            Long("only") if !variants.is_empty() => {
                let name = parser.value()?.string()?;
                if !variants.contains(&name.as_str()) {
                    return Err(format!("--only {name}: not one of {}", variants.join(", ")).into());
                }
                flags.only = Some(name);
            }
            Long(name) => match own.iter().find(|(known, _)| *known == name) {
                Some((name, "")) => flags.own.push((name, String::new())),
                Some((name, _)) => flags.own.push((name, parser.value()?.string()?)),
                None => return Err(Long(name).unexpected()),
            },
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
        read(parser, &["one", "two"], size, &[("quick", ""), ("to", "HOST")])
            .map_err(|error| error.to_string())
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
            (&["--to"], "to"),
            (&["--quick=very"], "very"),
        ] {
            let error = flags(arguments, Some(1)).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(flags(&["--size", "1KiB"], None).is_err(), "this example has no size");
    }

    #[test]
    fn an_examples_own_flags_have_values_or_none() {
        let read = flags(&["--to", "here", "--quick", "--to", "there"], None).unwrap();
        assert_eq!((read.own("to"), read.own("quick")), (Some("there"), Some("")));
        assert_eq!(flags(&[], None).unwrap().own("quick"), None);
        let read = flags(&["--to", "4"], None).unwrap();
        assert_eq!(read.own_as::<u8>("to").unwrap(), Some(4));
        assert!(read.own_as::<bool>("to").unwrap_err().to_string().starts_with("--to 4: "));
        let usage = usage(&["one"], Some(1), &[("quick", ""), ("to", "HOST")]);
        assert_eq!(usage, "--size 1MiB, --json, --only VARIANT, --quick, --to HOST");
    }
}
