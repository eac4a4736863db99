//! Command-line flags of the examples: `--help`, `--json`, `--only VARIANT`, `--size`, each
//! example's own, and a command to run.

use super::size;
use crate::sys::log;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::str::FromStr;
use std::{env, error, fmt, io};

/// The flags that were given on the command line.
#[derive(Clone, Debug)]
pub struct Flags {
    /// `--size 1MiB`, in bytes.
    pub size: usize,
    /// `--json`: print one flat JSON object instead of a table.
    pub json: bool,
    /// `--only VARIANT`: run one variant once, uncounted.
    pub only: Option<String>,
    /// A command and its arguments, behind all flags; empty if there is none.
    pub command: Vec<OsString>,
    /// The example's own flags that were given, with their values.
    own: Vec<(&'static str, String)>,
}

impl Flags {
    /// Returns the value of one of the example's own flags, which is empty if the flag takes none;
    /// `None` if it was not given.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.own.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of [`own`](Self::own), parsed as a `T`.
    ///
    /// # Errors
    ///
    /// If the value does not parse. Return the error from the example's work, so that
    /// [`Example::run`] reports a bad argument and exits with 2.
    pub fn own_as<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> io::Result<Option<T>> {
        let parse = |value: &str| {
            value.parse().map_err(|error| BadArgument(format!("--{name} {value}: {error}")))
        };
        self.own(name)
            .map(parse)
            .transpose()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

/// Returns the error for arguments that an example's work refuses: returned from there, it makes
/// [`Example::run`] exit with 2.
pub fn bad_argument(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, BadArgument(reason.to_owned()))
}

/// The reason why an argument was refused.
#[derive(Debug)]
struct BadArgument(String);

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for BadArgument {}

/// The command line of an example: what it does and which flags it takes.
///
/// ```no_run
/// use perf_proved::harness::flags::Example;
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     Example::new("Counts the system calls of a copy.").size(1 << 20).run(|flags| {
///         println!("copying {} bytes", flags.size);
///         Ok(ExitCode::SUCCESS)
///     })
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Example {
    about: &'static str,
    variants: Vec<&'static str>,
    size: Option<usize>,
    own: Vec<Own>,
    command: bool,
}

/// A flag that only one example has.
#[derive(Clone, Copy, Debug)]
struct Own {
    name: &'static str,
    /// The name of its value in the usage text; empty if it takes none.
    value: &'static str,
    help: &'static str,
}

impl Example {
    /// Describes an example in one sentence. It takes `--json` and `--help`.
    pub fn new(about: &'static str) -> Self {
        Self { about, variants: vec![], size: None, own: vec![], command: false }
    }

    /// Adds `--only VARIANT`, which takes one of `variants`.
    pub fn variants(mut self, variants: &[&'static str]) -> Self {
        self.variants = variants.to_vec();
        self
    }

    /// Adds `--size BYTES` with this default.
    pub fn size(mut self, default: usize) -> Self {
        self.size = Some(default);
        self
    }

    /// Adds `--name VALUE`, or `--name` alone if `value` is empty. `help` completes the sentence
    /// "This flag …".
    pub fn flag(mut self, name: &'static str, value: &'static str, help: &'static str) -> Self {
        self.own.push(Own { name, value, help });
        self
    }

    /// Takes a command and its arguments behind the flags, or behind `--`.
    pub fn command(mut self) -> Self {
        self.command = true;
        self
    }

    /// Runs `work` with the flags of the command line and returns its exit code. An error of `work`
    /// goes to standard error and the exit code is 1; a bad argument exits with 2, `--help` with 0.
    pub fn run(self, work: impl FnOnce(Flags) -> io::Result<ExitCode>) -> ExitCode {
        let refused = |error: &dyn fmt::Display| {
            log::line(format_args!("{error}\n\n{}", self.usage()));
            ExitCode::from(2)
        };
        let flags = match self.read(lexopt::Parser::from_env()) {
            Ok(Some(flags)) => flags,
            Ok(None) => {
                // A reader that closes the pipe early (`| head`) has seen what it wanted.
                let _ = io::stdout().write_all(self.usage().as_bytes());
                return ExitCode::SUCCESS;
            }
            Err(error) => return refused(&error),
        };
        // A limit on file sizes is an error that an experiment can report, not the end of all.
        #[cfg(target_os = "linux")]
        crate::sys::rlimit::ignore_sigxfsz();
        match work(flags) {
            Ok(code) => code,
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<BadArgument>()) => {
                refused(&error)
            }
            Err(error) => {
                log::line(format_args!("{error}"));
                ExitCode::FAILURE
            }
        }
    }

    /// Formats the text that `--help` prints.
    fn usage(&self) -> String {
        let mut lines = vec![];
        if let Some(size) = self.size {
            let default = size::format(size);
            lines.push(("--size BYTES".to_owned(), format!("sets the size (default: {default})")));
        }
        if !self.variants.is_empty() {
            let help = format!("runs one variant once, uncounted: {}", self.variants.join(", "));
            lines.push(("--only VARIANT".to_owned(), help));
        }
        for Own { name, value, help } in &self.own {
            lines.push((format!("--{name} {value}").trim_end().to_owned(), (*help).to_owned()));
        }
        lines.push(("--json".to_owned(), "prints one flat JSON object".to_owned()));
        lines.push(("--help".to_owned(), "prints this text".to_owned()));
        let width = lines.iter().map(|(flag, _)| flag.len()).max().unwrap_or(0);
        let lines = lines.iter().map(|(flag, help)| format!("  {flag:<width$}  {help}\n"));
        let program = env::current_exe().ok();
        let name = program.as_ref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("NAME");
        let command = if self.command { " [-- COMMAND]" } else { "" };
        format!(
            "{}\n\nUsage: cargo run --release --example {name} [-- FLAGS{command}]\n\n{}",
            self.about,
            lines.collect::<String>()
        )
    }

    /// Reads the arguments; `None` if they ask for help.
    fn read(&self, mut parser: lexopt::Parser) -> Result<Option<Flags>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut flags = Flags {
            size: self.size.unwrap_or(0),
            json: false,
            only: None,
            command: vec![],
            own: vec![],
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                Long("size") if self.size.is_some() => {
                    flags.size = parser.value()?.parse_with(size::parse)?
                }
                Long("json") => flags.json = true,
                Long("only") if !self.variants.is_empty() => {
                    let name = parser.value()?.string()?;
                    if !self.variants.contains(&name.as_str()) {
                        let known = self.variants.join(", ");
                        return Err(format!("--only {name}: not one of {known}").into());
                    }
                    flags.only = Some(name);
                }
                Long(name) => match self.own.iter().find(|own| own.name == name) {
                    Some(own) if own.value.is_empty() => flags.own.push((own.name, String::new())),
                    Some(own) => flags.own.push((own.name, parser.value()?.string()?)),
                    None => return Err(Long(name).unexpected()),
                },
                Value(program) if self.command => {
                    flags.command = [program].into_iter().chain(parser.raw_args()?).collect();
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(size: Option<usize>) -> Example {
        let example = Example::new("Does it.")
            .variants(&["one", "two"])
            .flag("quick", "", "measures fewer rounds")
            .flag("to", "HOST", "connects to HOST");
        Example { size, ..example }
    }

    fn flags(arguments: &[&str], size: Option<usize>) -> Result<Flags, String> {
        let read = example(size).read(lexopt::Parser::from_args(arguments));
        read.map(|flags| flags.expect("nothing asks for help")).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_read_and_bad_arguments_are_named() {
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
    }

    #[test]
    fn a_command_stands_behind_the_flags_with_flags_of_its_own() {
        for arguments in
            [&["--json", "--", "cp", "--json", "a"][..], &["--json", "cp", "--json", "a"]]
        {
            let read = example(None).command().read(lexopt::Parser::from_args(arguments));
            let read = read.unwrap().expect("nothing asks for help");
            assert!(read.json);
            assert_eq!(read.command, ["cp", "--json", "a"]);
        }
        assert!(flags(&["--", "cp"], None).is_err(), "this example takes no command");
    }

    #[test]
    fn help_names_every_flag() {
        for ask in ["--help", "-h"] {
            let read = example(None).read(lexopt::Parser::from_args(["--json", ask])).unwrap();
            assert!(read.is_none(), "{ask}");
        }
        let usage = example(Some(1 << 20)).usage();
        for part in
            ["Does it.", "--size BYTES", "1MiB", "one, two", "--quick ", "--to HOST", "-json"]
        {
            assert!(usage.contains(part), "{part}: {usage}");
        }
        assert!(!example(None).usage().contains("--size"));
    }
}
