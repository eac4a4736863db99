//! Reads claims from the TOML of their blocks.

use super::belief::{Names, bearings};
use super::lint;
use super::times::times;
use crate::condition::Condition;
use crate::ids::{benchmark_id, count_key, identifier, kebab};
use crate::model::{Claim, Clocked, Count, CountBound, Place, Proof, RatioBound, Times};
use crate::units::{Quantity, number};
use regex::Regex;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::path::PathBuf;
use std::sync::LazyLock;

/// A claim as it stands in its block.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClaim {
    id: String,
    says: String,
    command: Option<String>,
    #[serde(rename = "where", default, deserialize_with = "condition")]
    condition: Option<Condition>,
    loose: Option<String>,
    supports: Option<Names>,
    refutes: Option<Names>,
    compiled: Option<String>,
    counted: Option<toml::Value>,
    observed: Option<toml::Value>,
    explored: Option<String>,
    faster: Option<String>,
    like: Option<String>,
    difference: Option<Vec<String>>,
    of: Option<OneOrTwo>,
    than: Option<String>,
    by: Option<f64>,
    within: Option<f64>,
    equals: Option<f64>,
    at_most: Option<f64>,
    at_least: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCount {
    of: String,
    than: Option<String>,
    by: Option<f64>,
    equals: Option<f64>,
    at_most: Option<f64>,
    at_least: Option<f64>,
}

/// The largest factor that a reader takes for "the same" without being told.
pub const SAME: f64 = 1.25;

static STATES_WITHIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{\s*within\s*\}\}").expect("a constant"));

/// Reads a condition where TOML is read, which knows the line.
fn condition<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Condition>, D::Error> {
    let text = String::deserialize(from)?;
    Condition::parse(&text).map(Some).map_err(D::Error::custom)
}

/// The whole that a difference is compared with: one benchmark, or two.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrTwo {
    One(String),
    Two(Vec<String>),
}

/// Checks a claim.
pub(super) fn claim(raw: RawClaim, place: &Place) -> Result<Claim, String> {
    if !kebab(&raw.id) {
        return Err(format!(
            "the id `{}` is not in kebab case (a-z, 0-9 and single hyphens)",
            raw.id
        ));
    }
    let proofs = [
        ("compiled", raw.compiled.is_some()),
        ("counted", raw.counted.is_some()),
        ("observed", raw.observed.is_some()),
        ("explored", raw.explored.is_some()),
        ("faster", raw.faster.is_some()),
        ("like", raw.like.is_some()),
        ("difference", raw.difference.is_some()),
    ];
    let given: Vec<&str> =
        proofs.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    let [kind] = given[..] else {
        return Err(match given.is_empty() {
            true => format!(
                "no proof: one of {}",
                proofs.map(|(name, _)| format!("`{name}`")).join(", ")
            ),
            false => format!("a claim has one proof, not {}", given.join(" and ")),
        });
    };
    // The keys that go with this proof. Any other would be ignored, and an ignored bound is an
    // unchecked claim.
    let allowed: &[&str] = match kind {
        "counted" => &["than", "by", "equals", "at_most", "at_least"],
        "observed" => &["equals", "at_most", "at_least"],
        "faster" => &["than", "by", "loose"],
        "like" => &["than", "within", "loose"],
        "difference" => &["of", "at_most", "at_least", "loose"],
        _ => &[],
    };
    let bounds = [
        ("than", raw.than.is_some()),
        ("by", raw.by.is_some()),
        ("within", raw.within.is_some()),
        ("equals", raw.equals.is_some()),
        ("at_most", raw.at_most.is_some()),
        ("at_least", raw.at_least.is_some()),
        ("of", raw.of.is_some()),
        ("loose", raw.loose.is_some()),
    ];
    if let Some((stray, _)) = bounds.iter().find(|(name, given)| *given && !allowed.contains(name))
    {
        return Err(format!("`{stray}` has no meaning beside `{kind}`"));
    }
    if raw.loose.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return Err("`loose` is the reason for a loose bound, and is empty".to_string());
    }
    let proof = if let Some(anchor) = &raw.compiled {
        compiled(anchor)?
    } else if let Some(of) = &raw.counted {
        Proof::Counted(counted("counted", of, &raw)?)
    } else if let Some(of) = &raw.observed {
        Proof::Observed(counted("observed", of, &raw)?)
    } else if let Some(model) = raw.explored {
        let parts: Vec<&str> = model.split("::").collect();
        if parts.len() < 2 || !parts.iter().all(|part| identifier(part)) {
            return Err(format!("`explored` names a test as `technique::model`, not `{model}`"));
        }
        Proof::Explored { model }
    } else if let Some(part) = &raw.difference {
        difference(part, raw.of.as_ref(), raw.at_least, raw.at_most)?
    } else {
        let by = if raw.faster.is_some() { ("by", raw.by) } else { ("within", raw.within) };
        clocked(raw.faster.or(raw.like), raw.than, by)?
    };
    if raw.within.is_some_and(|within| within > SAME) && !STATES_WITHIN.is_match(&raw.says) {
        return Err(format!(
            "without {{{{within}}}} in its sentence, a claim of no difference is within {SAME}"
        ));
    }
    Ok(Claim {
        id: raw.id,
        says: says(&raw.says, &proof)?,
        proof,
        condition: raw.condition,
        loose: raw.loose,
        bears: bearings(raw.supports, raw.refutes)?,
        command: raw.command,
        place: place.clone(),
    })
}

/// Reads the file and anchor of a compiled claim.
fn compiled(text: &str) -> Result<Proof, String> {
    let shape = || {
        format!("`compiled` names an anchor of the library as `src/path.rs#anchor`, not `{text}`")
    };
    let (file, anchor) = text.split_once('#').ok_or_else(shape)?;
    let below_src = file.starts_with("src/") && file.ends_with(".rs") && !file.contains("..");
    if !below_src || anchor.is_empty() {
        return Err(shape());
    }
    Ok(Proof::Compiled { file: PathBuf::from(file), anchor: anchor.to_string() })
}

/// Reads the counts of a counted or observed claim: one with the bounds beside it, or a list.
fn counted(kind: &str, of: &toml::Value, raw: &RawClaim) -> Result<Vec<Count>, String> {
    let outside = || {
        [raw.equals, raw.at_most, raw.at_least, raw.by].iter().any(Option::is_some)
            || raw.than.is_some()
    };
    let counts = match of {
        toml::Value::String(of) => vec![count(RawCount {
            of: of.clone(),
            than: raw.than.clone(),
            by: raw.by,
            equals: raw.equals,
            at_most: raw.at_most,
            at_least: raw.at_least,
        })?],
        toml::Value::Array(_) if outside() => {
            return Err(format!("if `{kind}` is a list, each entry has its own bound"));
        }
        toml::Value::Array(entries) => entries
            .iter()
            .map(|entry| {
                count(entry.clone().try_into().map_err(|e| format!("`{kind}`: {}", e.message()))?)
            })
            .collect::<Result<_, String>>()?,
        _ => return Err(format!("`{kind}` is a string or a list of tables")),
    };
    if counts.is_empty() {
        return Err(format!("`{kind}` is empty: such a claim would always hold"));
    }
    let compared = |count: &Count| matches!(count.bound, CountBound::FewerThan { .. });
    if kind == "observed" && counts.iter().any(compared) {
        return Err("an observation has a bound of its own and is not compared".to_string());
    }
    Ok(counts)
}

/// Reads one count with its bound.
fn count(raw: RawCount) -> Result<Count, String> {
    let (example, key) = count_key(&raw.of)?;
    let given = [
        raw.equals.map(CountBound::Equals),
        raw.at_most.map(CountBound::AtMost),
        raw.at_least.map(CountBound::AtLeast),
        match (&raw.than, raw.by) {
            (Some(than), Some(by)) => {
                let (example, key) = count_key(than)?;
                Some(CountBound::FewerThan { example, key, by: factor("by", by)? })
            }
            (None, None) => None,
            _ => return Err("`than` and `by` come together".to_string()),
        },
    ];
    let mut given = given.into_iter().flatten();
    let (Some(bound), None) = (given.next(), given.next()) else {
        return Err(format!(
            "`{}` needs one bound: `equals`, `at_most`, `at_least`, or `than` with `by`",
            raw.of
        ));
    };
    match bound {
        CountBound::Equals(n) | CountBound::AtMost(n) | CountBound::AtLeast(n)
            if !n.is_finite() || n < 0.0 =>
        {
            Err(format!("the bound {n} is not a count"))
        }
        CountBound::AtLeast(0.0) => Err("`at_least = 0` cannot fail".to_string()),
        bound => Ok(Count { example, key, bound }),
    }
}

/// Reads the comparison of a clocked claim; `name` is the key of its bound.
fn clocked(
    subject: Option<String>,
    than: Option<String>,
    (name, by): (&str, Option<f64>),
) -> Result<Proof, String> {
    let subject = subject.unwrap_or_default();
    let than = than.ok_or("`than` is missing, the benchmark to compare with")?;
    for id in [&subject, &than] {
        benchmark_id(id)?;
    }
    if subject == than {
        return Err(format!("`{subject}` is compared with itself"));
    }
    let by = factor(name, by.ok_or_else(|| format!("`{name}` is missing"))?)?;
    let bound = if name == "by" { RatioBound::Faster(by) } else { RatioBound::Within(by) };
    Ok(Proof::Clocked(Clocked { over: Times::Of(than), under: Times::Of(subject), bound }))
}

/// Reads a clocked claim about a difference of times.
fn difference(
    part: &[String],
    whole: Option<&OneOrTwo>,
    at_least: Option<f64>,
    at_most: Option<f64>,
) -> Result<Proof, String> {
    let whole = match whole.ok_or("`of` is missing, the time to compare the difference with")? {
        OneOrTwo::One(id) => std::slice::from_ref(id),
        OneOrTwo::Two(ids) => ids,
    };
    let over = times("difference", part)?;
    let under = times("of", whole)?;
    if matches!(over, Times::Of(_)) {
        return Err("`difference` names two benchmarks".to_string());
    }
    if over == under {
        return Err("a difference is compared with itself".to_string());
    }
    let bound = match (at_least, at_most) {
        (Some(bound), None) => RatioBound::AtLeast(bound),
        (None, Some(bound)) => RatioBound::AtMost(bound),
        _ => return Err("a difference needs one bound: `at_least` or `at_most`".to_string()),
    };
    match bound {
        RatioBound::AtLeast(n) | RatioBound::AtMost(n) if !n.is_finite() || n <= 0.0 => {
            Err(format!("the bound of a difference is above 0, not {n}"))
        }
        bound => Ok(Proof::Clocked(Clocked { over, under, bound })),
    }
}

/// Checks that a factor is above 1. A claim of no difference has `like` and `within` instead.
fn factor(name: &str, factor: f64) -> Result<f64, String> {
    if factor.is_finite() && factor > 1.0 {
        return Ok(factor);
    }
    let hint = if name == "by" { "; to claim no difference, use `like` and `within`" } else { "" };
    Err(format!("`{name}` is a factor above 1, not {factor}{hint}"))
}

/// Returns the sentence with its placeholders filled in. `{{by}}` is the claim's bound of that
/// name; if several counts have one, `{{at_most 2}}` is the second count's.
fn says(template: &str, proof: &Proof) -> Result<String, String> {
    static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\{\{\s*([a-z_]+)(?:\s+([0-9]+))?\s*\}\}").expect("a constant")
    });
    if template.trim().is_empty() {
        return Err("`says` is empty".to_string());
    }
    let typed = lint::typed_in(&PLACEHOLDER.replace_all(template, "\u{fffc}"));
    if let Some(typed) = typed.first() {
        return Err(format!(
            "`says` has a number typed by hand, `{typed}`: write the bound as a placeholder, \
             such as {{{{by}}}}"
        ));
    }
    let bounds: Vec<(&str, f64)> = match proof {
        Proof::Compiled { .. } | Proof::Explored { .. } => Vec::new(),
        Proof::Clocked(clocked) => match clocked.bound {
            RatioBound::Faster(by) => vec![("by", by)],
            RatioBound::Within(by) => vec![("within", by)],
            RatioBound::AtLeast(by) => vec![("at_least", by)],
            RatioBound::AtMost(by) => vec![("at_most", by)],
        },
        Proof::Counted(counts) | Proof::Observed(counts) => counts
            .iter()
            .map(|count| match count.bound {
                CountBound::Equals(n) => ("equals", n),
                CountBound::AtMost(n) => ("at_most", n),
                CountBound::AtLeast(n) => ("at_least", n),
                CountBound::FewerThan { by, .. } => ("by", by),
            })
            .collect(),
    };
    let mut wrong = None;
    let filled = PLACEHOLDER.replace_all(template, |found: &regex::Captures<'_>| {
        let name = &found[1];
        let value = match found.get(2).map(|n| n.as_str().parse::<usize>()) {
            Some(Ok(n)) => {
                n.checked_sub(1).and_then(|n| bounds.get(n)).filter(|(has, _)| *has == name)
            }
            Some(Err(_)) => None,
            None => {
                let mut named = bounds.iter().filter(|(has, _)| *has == name);
                named.next().filter(|_| named.next().is_none())
            }
        };
        match value {
            Some((_, value)) => number(*value, Quantity::Count, 0),
            None => {
                wrong.get_or_insert(found[0].to_string());
                String::new()
            }
        }
    });
    if let Some(wrong) = wrong {
        return Err(format!("`says` has {wrong}, which does not name one bound of this claim"));
    }
    if filled.contains("{{") || filled.contains("}}") {
        return Err("`says` has braces that are not a placeholder".to_string());
    }
    Ok(filled.into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::blocks::blocks;
    use super::*;
    use crate::model::{Block, Problem, Spanned};
    use std::path::Path;

    fn read(markdown: &str) -> (Vec<Spanned<Block>>, Vec<String>) {
        let (blocks, problems) = blocks(Path::new("book/src/a.md"), markdown);
        (blocks, problems.iter().map(Problem::to_string).collect())
    }

    fn only_claim(body: &str) -> Claim {
        let (blocks, problems) = read(&format!("```claim\nid = \"a\"\n{body}\n```\n"));
        assert_eq!(problems, Vec::<String>::new());
        match blocks.into_iter().next().unwrap().item {
            Block::Claim(claim) => claim,
            _ => panic!("no claim"),
        }
    }

    fn only_problem(body: &str) -> String {
        let (blocks, problems) = read(&format!("```claim\nid = \"a\"\n{body}\n```\n"));
        assert!(blocks.is_empty(), "{body} was taken");
        assert_eq!(problems.len(), 1, "{body}: {problems:?}");
        problems[0].strip_prefix("book/src/a.md:").unwrap().to_string()
    }

    #[test]
    fn the_kinds_of_proof() {
        let claim = only_claim("says = 'S'\ncompiled = 'src/a/b.rs#size'");
        let Proof::Compiled { file, anchor } = claim.proof else { panic!("not compiled") };
        assert_eq!((file.as_path(), anchor.as_str()), (Path::new("src/a/b.rs"), "size"));
        let claim = only_claim("says = 'S'\nexplored = 'ring::loss'");
        assert_eq!(claim.command(), "cargo book check --claim a");
        assert_eq!(claim.runs().as_deref(), Some("cargo explore --exact ring::loss"));
        let claim = only_claim(
            "says = '{{by}} times as fast'\nfaster = 'g/a/1KiB'\nthan = 'g/b/1KiB'\nby = 1.5",
        );
        assert_eq!(
            (claim.says.as_str(), claim.command().as_str()),
            ("1.5 times as fast", "cargo bench --bench g")
        );
        let claim = only_claim(
            "says = 'S'\nlike = 'g_cpu/a'\nthan = 'g_cpu/b'\nwithin = 1.25\ncommand = 'make'",
        );
        assert!(matches!(&claim.proof, Proof::Clocked(c) if c.bound == RatioBound::Within(1.25)));
        assert_eq!((claim.command().as_str(), claim.runs()), ("make", None));
        let claim = only_claim("says = '{{at_least}}'\nobserved = 'e/v.lost'\nat_least = 1");
        assert!(matches!(&claim.proof, Proof::Observed(counts) if counts[0].key == "v.lost"));
        assert_eq!((claim.kind(), claim.says.as_str()), ("observed", "1"));
        assert_eq!(claim.command(), "cargo book check --claim a");
        assert_eq!(claim.runs().as_deref(), Some("cargo run --release --example e"));
    }

    #[test]
    fn a_difference_is_compared_with_a_time_or_a_difference() {
        let clocked = |body: &str| match only_claim(body) {
            Claim { proof: Proof::Clocked(clocked), says, .. } => (clocked, says),
            _ => panic!("not clocked"),
        };
        let part = Times::Difference("g/two/1MiB".into(), "g/one/1MiB".into());
        let (claim, says) = clocked(
            "says = 'at least {{at_least}}'\ndifference = ['g/two/1MiB', 'g/one/1MiB']\n\
             of = ['g/one/1MiB', 'g/none/1MiB']\nat_least = 0.5",
        );
        assert_eq!((&claim.over, claim.bound), (&part, RatioBound::AtLeast(0.5)));
        assert_eq!(claim.under, Times::Difference("g/one/1MiB".into(), "g/none/1MiB".into()));
        assert_eq!((claim.subject(), says.as_str()), ("g/two/1MiB", "at least 0.5"));
        let (claim, _) = clocked(
            "says = 'S'\ndifference = ['g/two/1MiB', 'g/one/1MiB']\nof = 'g/one/1MiB'\nat_most = 0.8",
        );
        assert_eq!(claim.bound, RatioBound::AtMost(0.8));
        assert_eq!(claim.under, Times::Of("g/one/1MiB".into()));
    }

    #[test]
    fn a_condition_and_the_reason_for_a_loose_bound_are_read() {
        let claim = only_claim(
            "says = 'S'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2\nwhere = 'l2 >= 1MiB'\nloose = 'R.'",
        );
        assert_eq!(claim.condition.unwrap().to_string(), "l2 >= 1MiB");
        assert_eq!(claim.loose.as_deref(), Some("R."));
        let claim = only_claim("says = 'S'\nexplored = 'a::b'");
        assert!(claim.condition.is_none() && claim.loose.is_none());
    }

    #[test]
    fn the_bounds_of_counts() {
        let bound = |body: &str| match only_claim(&format!("says = 'S'\n{body}")).proof {
            Proof::Counted(counts) => counts[0].bound.clone(),
            _ => panic!("not counted"),
        };
        assert_eq!(bound("counted = 'e/v.q'\nat_most = 1"), CountBound::AtMost(1.0));
        assert_eq!(bound("counted = 'e/v.q'\nequals = 0"), CountBound::Equals(0.0));
        assert_eq!(bound("counted = 'e/v.q'\nat_least = 2.5"), CountBound::AtLeast(2.5));
        let fewer = CountBound::FewerThan { example: "e".into(), key: "w.q".into(), by: 16.0 };
        assert_eq!(bound("counted = 'e/v.q'\nthan = 'e/w.q'\nby = 16"), fewer);
        let claim = only_claim(
            "says = '{{equals}} of {{at_most 2}} or {{at_most 3}}'\n\
             counted = [{ of = 'e/v.q', equals = 1 }, { of = 'e/w.q', at_most = 2000 },\n\
             { of = 'e/w.r', at_most = 3 }]",
        );
        assert_eq!(claim.says, "1 of 2,000 or 3");
    }

    #[test]
    fn a_malformed_block_is_named_with_its_line() {
        for (body, expected) in [
            ("says = 'S'", "1: no proof"),
            ("says = 'S'\nexplored = 'a::b'\nextra = 1", "5: unknown field `extra`"),
            ("says = ", "3: "),
            (
                "says = 'S'\nexplored = 'a::b'\nfaster = 'g/a'",
                "1: a claim has one proof, not explored and faster",
            ),
            ("says = 'S'\nexplored = 'a::b'\nby = 2", "1: `by` has no meaning beside `explored`"),
            ("says = 'S'\nexplored = 'ab'", "1: `explored` names a test"),
            (
                "says = 'S'\ncompiled = 'tests/a.rs#x'",
                "1: `compiled` names an anchor of the library",
            ),
            (
                "says = 'S'\ncompiled = 'src/../a.rs#x'",
                "1: `compiled` names an anchor of the library",
            ),
            ("says = 'S'\ncounted = 'e/v.q'", "1: `e/v.q` needs one bound"),
            (
                "says = 'S'\ncounted = 'e/v.q'\nequals = 1\nat_most = 2",
                "1: `e/v.q` needs one bound",
            ),
            ("says = 'S'\ncounted = 'e/v.q'\nat_least = 0", "1: `at_least = 0` cannot fail"),
            ("says = 'S'\ncounted = 'e/v.q'\nat_most = nan", "1: the bound NaN is not a count"),
            ("says = 'S'\ncounted = 'e/v.q'\nthan = 'e/w.q'", "1: `than` and `by` come together"),
            (
                "says = 'S'\ncounted = 'e/v.q'\nthan = 'e/w.q'\nby = 1",
                "1: `by` is a factor above 1",
            ),
            ("says = 'S'\ncounted = 'v.q'\nequals = 1", "1: a count is named"),
            ("says = 'S'\ncounted = []", "1: `counted` is empty"),
            (
                "says = 'S'\ncounted = [{ of = 'e/v.q', equal = 1 }]",
                "1: `counted`: unknown field `equal`",
            ),
            (
                "says = 'S'\ncounted = [{ of = 'e/v.q', equals = 1 }]\nequals = 1",
                "1: if `counted` is a list",
            ),
            ("says = 'S'\nfaster = 'g/a'\nthan = 'g/b'", "1: `by` is missing"),
            ("says = 'S'\nfaster = 'g/a'\nby = 2", "1: `than` is missing"),
            (
                "says = 'S'\nfaster = 'g/a'\nthan = 'g/a'\nby = 2",
                "1: `g/a` is compared with itself",
            ),
            (
                "says = 'S'\nfaster = 'g/a'\nthan = 'g/b'\nby = 1.0",
                "1: `by` is a factor above 1, not 1; to claim",
            ),
            (
                "says = 'S'\nfaster = 'g/a'\nthan = 'g/b'\nby = inf",
                "1: `by` is a factor above 1, not inf",
            ),
            (
                "says = 'S'\nlike = 'g/a'\nthan = 'g/b'\nby = 2",
                "1: `by` has no meaning beside `like`",
            ),
            ("says = 'S'\nlike = 'g/a'\nthan = 'g'\nwithin = 2", "1: a benchmark is named"),
            (
                "says = '1.5 times'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2",
                "1: `says` has a number typed by hand",
            ),
            (
                "says = '{{within}}'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2",
                "1: `says` has {{within}}",
            ),
            ("says = '{{BY}}'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2", "1: `says` has braces"),
            ("says = '{by}}'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2", "1: `says` has braces"),
            ("says = ' '\nexplored = 'a::b'", "1: `says` is empty"),
            ("says = 'S'\nwhere = 'l4 > 1MiB'\nexplored = 'a::b'", "4: `where`: no fact is called"),
            (
                "says = 'S'\nexplored = 'a::b'\nwhere = 'l2 > 1MB'",
                "5: `where`: `1MB` is not a size",
            ),
            ("says = 'S'\nexplored = 'a::b'\nloose = 'R'", "1: `loose` has no meaning beside"),
            (
                "says = 'S'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2\nloose = ' '",
                "1: `loose` is the reason",
            ),
            (
                "says = 'the same'\nlike = 'g/a'\nthan = 'g/b'\nwithin = 1.5",
                "1: without {{within}} in its sentence, a claim of no difference is within 1.25",
            ),
            ("says = 'S'\nobserved = 'e/v.q'", "1: `e/v.q` needs one bound"),
            (
                "says = 'S'\nobserved = 'e/v.q'\nthan = 'e/w.q'\nby = 2",
                "1: `than` has no meaning beside `observed`",
            ),
            (
                "says = 'S'\nobserved = [{ of = 'e/v.q', than = 'e/w.q', by = 2 }]",
                "1: an observation has a bound of its own",
            ),
            ("says = 'S'\ndifference = ['g/a', 'g/b']\nat_least = 1", "1: `of` is missing"),
            (
                "says = 'S'\ndifference = ['g/a']\nof = 'g/b'\nat_least = 1",
                "1: `difference` names two",
            ),
            (
                "says = 'S'\ndifference = ['g/a', 'g/a']\nof = 'g/b'\nat_least = 1",
                "1: `g/a` is compared with itself",
            ),
            (
                "says = 'S'\ndifference = ['g/a', 'g/b']\nof = ['g/a', 'g/b']\nat_least = 1",
                "1: a difference is compared with itself",
            ),
            (
                "says = 'S'\ndifference = ['g/a', 'g/b']\nof = 'g/c'",
                "1: a difference needs one bound",
            ),
            (
                "says = 'S'\ndifference = ['g/a', 'g/b']\nof = 'g/c'\nat_least = 0",
                "1: the bound of a difference is above 0",
            ),
            (
                "says = 'S'\ndifference = ['g/a', 'g/b']\nof = 'g/c'\nat_least = 1\nby = 2",
                "1: `by` has no meaning beside `difference`",
            ),
        ] {
            let problem = only_problem(body);
            assert!(problem.starts_with(expected), "{body}\n  gave {problem}\n  not  {expected}");
        }
    }
}
