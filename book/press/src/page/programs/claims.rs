//! Claims as JSON: the objects of `cargo book check --json` and of the site's `claims.json`.

use super::about::About;
use crate::book::{Book, Judged};
use crate::ids::slashed;
use crate::machine::Machine;
use crate::model::{Claim, Count, CountBound, Estimate, Judgement, Proof};
use crate::page::html::{CLAIMS as PAGE, card_address, cite, machine_page};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The file of every claim, from the site's root.
pub const CLAIMS: &str = "claims.json";

/// The version of the objects, which grows when a key changes its meaning or goes away.
const FORMAT: u32 = 1;

/// Returns the content of `claims.json`. The reader's own results are in it if there are any.
#[must_use]
pub fn document(about: &About, book: &Book, claims: &[Judged<'_>]) -> Value {
    let yours = Some(&book.here).filter(|here| !here.is_empty());
    let machines: Map<String, Value> = book
        .machines
        .iter()
        .chain(yours)
        .map(|machine| {
            let page = machine_page(&machine.name);
            (machine.name.clone(), json!({ "about": machine.about, "url": page }))
        })
        .collect();
    json!({
        "format": FORMAT,
        "title": about.title,
        "description": about.description,
        "repository": about.repository,
        "reference": book.machines.first().map(|machine| &machine.name),
        "machines": machines,
        "claims": array(book, claims, yours),
    })
}

/// Returns an object for each claim, in order, with the verdict on the reader's machine if it is
/// given.
#[must_use]
pub fn array(book: &Book, claims: &[Judged<'_>], yours: Option<&Machine>) -> Value {
    claims.iter().map(|judged| object(book, judged, yours)).collect()
}

/// Returns the objects of `cargo book check --json`: those of [`array()`] with the verdicts here
/// and on the reference machine beside the claim, and what was found here or, without a result, on
/// the first recorded machine that has one.
#[must_use]
pub fn checked(book: &Book, claims: &[Judged<'_>]) -> Value {
    let here = &book.here;
    let one = |judged: &Judged<'_>| {
        let mut out = object(book, judged, Some(here));
        let recorded = judged.recorded.iter().map(|on| (on.machine.name.as_str(), &on.judgement));
        let mut all = [(here.name.as_str(), &judged.here)].into_iter().chain(recorded);
        let measured = all.find_map(|(name, found)| Some((name, found.value?)));
        let interval = measured.map(|(_, of)| [of.low, of.high]);
        let more = json!({
            "here": judged.here.verdict.words(),
            "reference": judged.reference().words(),
            "found": judged.here.found,
            "reason": judged.here.verdict.reason().or(judged.here.reason.as_deref()),
            "measured": measured.map(|(name, _)| name),
            "value": measured.map(|(_, of)| of.value),
            "interval": interval,
        });
        merge(&mut out, more);
        out
    };
    claims.iter().map(one).collect()
}

/// Returns a claim with its verdicts. `url` and `permalink` are relative to the site's root: `url`
/// leads to the card, and stays the same for as long as the claim is in its chapter; `permalink`
/// leads to the row on the page of all claims, and stays the same for as long as there is the
/// claim. A machine without a result is left out.
fn object(book: &Book, judged: &Judged<'_>, yours: Option<&Machine>) -> Value {
    let claim = judged.claim;
    let recorded = judged.recorded.iter().map(|on| (on.machine, &on.judgement));
    let yours = yours.map(|machine| (machine, &judged.here));
    let machines: Map<String, Value> = recorded
        .chain(yours)
        .map(|(machine, judgement)| {
            (machine.name.clone(), verdict(book, claim, machine, judgement))
        })
        .collect();
    let bears = claim.bears.iter().map(|one| (one.belief.clone(), one.side.key().into()));
    json!({
        "id": claim.id,
        "url": card_address(judged, Path::new("")),
        "permalink": format!("{PAGE}.html#{}", cite(claim)),
        "chapter": slashed(&judged.page.path),
        "title": judged.page.title,
        "kind": claim.kind(),
        "says": claim.says,
        "condition": claim.condition.as_ref().map(ToString::to_string),
        "loose": claim.loose,
        "beliefs": bears.collect::<Map<_, _>>(),
        "command": claim.command(),
        "sources": sources(&claim.proof),
        "machines": machines,
    })
}

/// Returns the outcome of a claim on one machine.
fn verdict(book: &Book, claim: &Claim, machine: &Machine, judgement: &Judgement) -> Value {
    let mut out = json!({
        "verdict": judgement.verdict.words(),
        "found": judgement.found,
        "reason": judgement.verdict.reason().or(judgement.reason.as_deref()),
    });
    if let Some(value) = judgement.value {
        merge(&mut out, estimate(value));
    }
    if !judgement.regimes.is_empty() {
        let regimes: Map<String, Value> = judgement
            .regimes
            .iter()
            .map(|one| {
                let mut found = json!({ "verdict": one.verdict.words() });
                one.value.into_iter().for_each(|value| merge(&mut found, estimate(value)));
                (one.regime.clone(), found)
            })
            .collect();
        merge(&mut out, json!({ "regimes": regimes }));
    }
    if let (Some(_), Some(noise)) = (judgement.value, book.null_control(claim, machine)) {
        merge(&mut out, json!({ "noise": estimate(noise) }));
    }
    out
}

/// Returns an estimate's value, its interval and its rounds.
fn estimate(estimate: Estimate) -> Value {
    json!({
        "value": estimate.value,
        "interval": [estimate.low, estimate.high],
        "rounds": estimate.rounds,
    })
}

/// Adds the keys of `more` to `object`.
fn merge(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

/// Returns the names of what a proof rests on: benchmarks, counts, a model, an assertion.
fn sources(proof: &Proof) -> Vec<String> {
    match proof {
        Proof::Compiled { file, anchor } => vec![format!("{}#{anchor}", slashed(file))],
        Proof::Explored { model } => vec![model.clone()],
        Proof::Clocked(clocked) => clocked.ids().cloned().collect(),
        Proof::Counted(counts) | Proof::Observed(counts) => {
            let all = counts.iter().flat_map(|Count { example, key, bound }| {
                let than = match bound {
                    CountBound::FewerThan { example, key, .. } => Some(format!("{example}/{key}")),
                    _ => None,
                };
                [Some(format!("{example}/{key}")), than].into_iter().flatten()
            });
            all.collect()
        }
    }
}
