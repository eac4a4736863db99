//! Conditions of claims, `where = "l2 >= 1MiB and thp == always"`: the facts of a machine that they
//! name, how they are read, and whether a machine meets them.

use crate::ids::identifier;
use crate::sizes::{binary, parameter};
use std::cmp::Ordering;
use std::fmt;

/// The name of a fact about a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Size of a core's first-level data cache.
    L1d,
    /// Size of the second-level cache.
    L2,
    /// Size of the third-level cache.
    L3,
    /// Number of processors that a process may use.
    Cores,
    /// Version of the kernel.
    Kernel,
    /// The C library.
    Libc,
    /// Architecture of the processor, in Rust's words.
    Arch,
    /// The kernel's mode for transparent huge pages.
    Thp,
    /// Name of the processor's design.
    Cpu,
    /// The file system of temporary files.
    Files,
    /// Distance between the two cores: the regime of a measurement.
    Lines,
}

/// Every name with its word in a condition.
const NAMES: [(&str, Name); 11] = [
    ("l1d", Name::L1d),
    ("l2", Name::L2),
    ("l3", Name::L3),
    ("cores", Name::Cores),
    ("kernel", Name::Kernel),
    ("libc", Name::Libc),
    ("arch", Name::Arch),
    ("thp", Name::Thp),
    ("cpu", Name::Cpu),
    ("files", Name::Files),
    ("lines", Name::Lines),
];

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Bytes.
    Size(u64),
    /// A count.
    Number(u64),
    /// A version's numbers: `6.1.0`.
    Version(Vec<u64>),
    /// A word: `glibc`, `always`, `zen5`.
    Word(String),
}

/// A comparison of a machine's fact with the value in the condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
    Is,
    IsNot,
}

/// Every comparison with its sign, the longer signs first.
const COMPARISONS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Is),
    ("!=", Comparison::IsNot),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

/// One comparison of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    name: Name,
    comparison: Comparison,
    value: Fact,
    /// The term as it stands in the condition.
    text: String,
}

/// The machines that a claim is about: those that meet every term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    terms: Vec<Term>,
}

/// The answer to a condition on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The machine meets every term.
    Applies,
    /// It does not meet one, for this reason: `L2 is 512 KiB`.
    DoesNot(String),
    /// It lacks a fact that a term needs: `not known whether l2 >= 1MiB`.
    NotKnown(String),
}

impl Condition {
    /// Reads `FACT OP VALUE and FACT OP VALUE …`.
    ///
    /// # Errors
    ///
    /// A sentence that names the term that makes no sense.
    pub fn parse(text: &str) -> Result<Condition, String> {
        let terms = text.split(" and ").map(term).collect::<Result<Vec<Term>, String>>()?;
        Ok(Condition { terms })
    }

    /// Answers the condition by a machine's facts. A term that the machine does not meet decides,
    /// even if another one is not known.
    pub fn answer(&self, fact: impl Fn(Name) -> Option<Fact>) -> Answer {
        let mut unknown = None;
        for term in &self.terms {
            match fact(term.name) {
                Some(fact) if term.holds(&fact) => {}
                Some(fact) => return Answer::DoesNot(described(term.name, &fact)),
                None => unknown = unknown.or(Some(term)),
            }
        }
        match unknown {
            Some(term) => Answer::NotKnown(format!("not known whether {}", term.text)),
            None => Answer::Applies,
        }
    }

    /// Returns `true` if a term names this fact.
    pub fn names(&self, name: Name) -> bool {
        self.terms.iter().any(|term| term.name == name)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms: Vec<&str> = self.terms.iter().map(|term| term.text.as_str()).collect();
        f.write_str(&terms.join(" and "))
    }
}

/// Reads one term.
fn term(text: &str) -> Result<Term, String> {
    let text = text.trim();
    let (at, sign, comparison) = COMPARISONS
        .iter()
        .filter_map(|(sign, comparison)| Some((text.find(sign)?, *sign, *comparison)))
        .min_by_key(|(at, sign, _)| (*at, sign.len() < 2))
        .ok_or_else(|| format!("`where`: `{text}` compares nothing; its form is FACT OP VALUE"))?;
    let (word, value) = (text[..at].trim(), text[at + sign.len()..].trim());
    let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == word) else {
        let known = NAMES.map(|(known, _)| known).join(", ");
        return Err(format!("`where`: no fact is called `{word}`; the facts are {known}"));
    };
    let value = read(*name, value).map_err(|what| format!("`where`: `{value}` is not {what}"))?;
    let is_ordered = !matches!(value, Fact::Word(_));
    if !is_ordered && !matches!(comparison, Comparison::Is | Comparison::IsNot) {
        return Err(format!("`where`: `{word}` is a word, which only == and != compare"));
    }
    Ok(Term { name: *name, comparison, value, text: text.to_owned() })
}

/// Reads the value that a fact is compared with; the error says what it should have been.
fn read(name: Name, text: &str) -> Result<Fact, &'static str> {
    let one_of = |words: &[&str], what| match words.contains(&text) {
        true => Ok(Fact::Word(text.to_owned())),
        false => Err(what),
    };
    match name {
        Name::L1d | Name::L2 | Name::L3 => size(text).map(Fact::Size).ok_or("a size, as in `1MiB`"),
        Name::Cores => text.parse().map(Fact::Number).map_err(|_| "a number"),
        Name::Kernel => version(text).map(Fact::Version).ok_or("a version, as in `6.1`"),
        Name::Libc => one_of(&["glibc", "musl"], "`glibc` or `musl`"),
        Name::Thp => one_of(&["always", "madvise", "never"], "`always`, `madvise` or `never`"),
        Name::Lines => one_of(&["near", "far"], "`near` or `far`"),
        Name::Arch => one_of(
            &["x86", "x86_64", "arm", "aarch64", "riscv64", "powerpc64", "s390x", "loongarch64"],
            "an architecture in Rust's words, as in `x86_64` or `aarch64`",
        ),
        Name::Cpu => match identifier(text) {
            true => Ok(Fact::Word(text.to_owned())),
            false => Err("the name of a design, as in `zen5`"),
        },
        Name::Files => match identifier(text) {
            true => Ok(Fact::Word(text.to_owned())),
            false => Err("the name of a file system, as in `ext4`"),
        },
    }
}

/// Reads a size with its unit, `512KiB` or `512 KiB`, in bytes.
pub fn size(text: &str) -> Option<u64> {
    let text = text.replace(' ', "");
    let has_unit = ["KiB", "MiB", "GiB"].iter().any(|unit| text.ends_with(unit));
    let bytes = parameter(&text).filter(|bytes| has_unit && *bytes >= 1.0)?;
    // A word between the number and the unit would be ignored.
    text[..text.len() - 3].parse::<f64>().ok().map(|_| bytes as u64)
}

/// Reads a version's numbers up to the first part that has none: `6.1.0-18-amd64` is 6.1.0.
pub fn version(text: &str) -> Option<Vec<u64>> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let numbers: Option<Vec<u64>> =
        text[..end].trim_end_matches('.').split('.').map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| !numbers.is_empty())
}

impl Term {
    fn holds(&self, fact: &Fact) -> bool {
        let order = match (fact, &self.value) {
            (Fact::Size(a), Fact::Size(b)) | (Fact::Number(a), Fact::Number(b)) => a.cmp(b),
            // As many numbers as the condition has: 6.1.55 is 6.1.
            (Fact::Version(a), Fact::Version(b)) => a.iter().take(b.len()).cmp(b),
            (Fact::Word(a), Fact::Word(b)) => a.cmp(b),
            _ => return false,
        };
        match self.comparison {
            Comparison::AtLeast => order != Ordering::Less,
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::Above => order == Ordering::Greater,
            Comparison::Below => order == Ordering::Less,
            Comparison::Is => order == Ordering::Equal,
            Comparison::IsNot => order != Ordering::Equal,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Size(bytes) => f.write_str(&binary(*bytes)),
            Fact::Number(number) => write!(f, "{number}"),
            Fact::Version(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
                f.write_str(&numbers.join("."))
            }
            Fact::Word(word) => f.write_str(word),
        }
    }
}

/// Returns a machine's fact in words: `L2 is 512 KiB`.
fn described(name: Name, value: &Fact) -> String {
    match name {
        Name::L1d => format!("L1d is {value}"),
        Name::L2 => format!("L2 is {value}"),
        Name::L3 => format!("L3 is {value}"),
        Name::Cores => format!("it has {value} cores"),
        Name::Kernel => format!("the kernel is {value}"),
        Name::Libc => format!("the C library is {value}"),
        Name::Arch => format!("the architecture is {value}"),
        Name::Thp => format!("the mode of transparent huge pages is {value}"),
        Name::Cpu => format!("the processor is {value}"),
        Name::Files => format!("temporary files are on {value}"),
        Name::Lines => format!("the two cores are {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(name: Name) -> Option<Fact> {
        Some(match name {
            Name::L1d => Fact::Size(48 << 10),
            Name::L2 => Fact::Size(512 << 10),
            Name::Cores => Fact::Number(2),
            Name::Kernel => Fact::Version(vec![6, 1, 55]),
            Name::Libc => Fact::Word("glibc".into()),
            Name::Thp => Fact::Word("madvise".into()),
            Name::Files => Fact::Word("ext4".into()),
            _ => return None,
        })
    }

    fn answer(text: &str) -> Answer {
        Condition::parse(text).unwrap_or_else(|e| panic!("{e}")).answer(machine)
    }

    #[test]
    fn a_machine_meets_a_condition_or_gives_the_fact_that_it_lacks() {
        for text in [
            "l1d == 48KiB",
            "l1d >= 48 KiB and l2 < 1MiB",
            "l2 <= 0.5MiB",
            "cores >= 2",
            "cores > 1",
            "kernel >= 5.19",
            "kernel == 6.1",
            "kernel <= 6.1",
            "kernel < 6.10",
            "kernel != 6.2",
            "libc == glibc and thp != never",
            "files == ext4",
        ] {
            assert_eq!(answer(text), Answer::Applies, "{text}");
        }
        for (text, reason) in [
            ("l2 >= 1MiB", "L2 is 512 KiB"),
            ("l1d < 32KiB", "L1d is 48 KiB"),
            ("cores >= 3", "it has 2 cores"),
            ("kernel > 6.1", "the kernel is 6.1.55"),
            ("kernel >= 6.1.56", "the kernel is 6.1.55"),
            ("libc == musl", "the C library is glibc"),
            ("files == xfs", "temporary files are on ext4"),
            ("l1d >= 48KiB and thp == always", "the mode of transparent huge pages is madvise"),
        ] {
            assert_eq!(answer(text), Answer::DoesNot(reason.into()), "{text}");
        }
    }

    #[test]
    fn a_fact_that_was_not_recorded_leaves_the_condition_open_unless_another_decides() {
        let open = |term: &str| Answer::NotKnown(format!("not known whether {term}"));
        assert_eq!(answer("l3 >= 32MiB"), open("l3 >= 32MiB"));
        assert_eq!(answer("cores >= 2 and lines == near and cpu == zen5"), open("lines == near"));
        assert_eq!(answer("l3 >= 1MiB and cores >= 3"), Answer::DoesNot("it has 2 cores".into()));
    }

    #[test]
    fn a_condition_that_no_machine_could_answer_is_refused() {
        for (text, expected) in [
            ("", "`where`: `` compares nothing"),
            ("l2", "`where`: `l2` compares nothing"),
            ("l2 >= 1MiB and ", "`where`: `` compares nothing"),
            ("l2 >= 1MiB or l3 > 1MiB", "`where`: `1MiB or l3 > 1MiB` is not a size"),
            ("L2 >= 1MiB", "`where`: no fact is called `L2`; the facts are l1d, l2, "),
            ("cache >= 1MiB", "`where`: no fact is called `cache`"),
            ("l2 >= 1MB", "`where`: `1MB` is not a size"),
            ("l2 >= 4 big KiB", "`where`: `4 big KiB` is not a size"),
            ("l2 => 1MiB", "`where`: no fact is called `l2 =`"),
            ("cores >= two", "`where`: `two` is not a number"),
            ("kernel >= six", "`where`: `six` is not a version"),
            ("libc == newlib", "`where`: `newlib` is not `glibc` or `musl`"),
            ("thp == on", "`where`: `on` is not `always`"),
            ("thp >= always", "`where`: `thp` is a word"),
            ("arch == x86-64", "`where`: `x86-64` is not an architecture"),
            ("cpu == zen 5", "`where`: `zen 5` is not the name of a design"),
            ("files == ext 4", "`where`: `ext 4` is not the name of a file system"),
            ("lines == close", "`where`: `close` is not `near` or `far`"),
        ] {
            let error = Condition::parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn versions_and_sizes_are_read_as_systems_write_them() {
        assert_eq!(version("6.1.0-18-amd64"), Some(vec![6, 1, 0]));
        assert_eq!(version("6.12"), Some(vec![6, 12]));
        assert_eq!(version("2.36."), Some(vec![2, 36]));
        assert_eq!(version("x"), None);
        assert_eq!(size("48 KiB"), Some(48 << 10));
        assert_eq!(size("1.25MiB"), Some(5 << 18));
        assert_eq!(size("3000"), None);
    }

    #[test]
    fn a_condition_prints_as_it_stands() {
        let condition = Condition::parse("l2 >= 1MiB and  thp == always").unwrap();
        assert_eq!(condition.to_string(), "l2 >= 1MiB and thp == always");
        assert!(condition.names(Name::Thp) && !condition.names(Name::Lines));
    }
}
