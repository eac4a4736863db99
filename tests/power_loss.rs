//! The laboratory that loses power: its model against sets of images written by hand, its twin, its
//! recorder, and the chapter's programs in it.
#![cfg(target_os = "linux")]

#[path = "power_loss/model.rs"]
mod model;
#[path = "power_loss/recorder.rs"]
mod recorder;
#[path = "power_loss/replacement.rs"]
mod replacement;
#[path = "power_loss/twin.rs"]
mod twin;

use perf_proved::proof::power_loss::{Crash, Findings, Rules, Search, Twin, search};
use std::collections::BTreeSet;

/// The contents of a directory, for comparison: names and contents, as text.
type Contents = Vec<(String, String)>;

/// Returns everything that a power cut may leave now, under `rules`.
fn left(twin: &Twin, rules: Rules) -> BTreeSet<Contents> {
    twin.acknowledge(b"now");
    let acks = |crash: &Crash<'_>| crash.acknowledged.len();
    let mut left: Vec<(usize, Contents)> = vec![];
    let found = search(&twin.history(), rules, Search::default(), |crash| {
        let text = |content: Option<&[u8]>| {
            String::from_utf8_lossy(content.expect("no directories")).replace('\0', "0")
        };
        let files = crash.image.iter().map(|(path, content)| (path.to_owned(), text(content)));
        left.push((acks(crash), files.collect()));
        Ok(())
    });
    assert_eq!(found.sampled, 0, "all of them");
    let last = left.iter().map(|(acks, _)| *acks).max().expect("at least one image");
    left.into_iter().filter(|(acks, _)| *acks == last).map(|(_, contents)| contents).collect()
}

/// Makes contents of `name=content` pairs.
fn contents(files: &[&str]) -> Contents {
    let pair = |file: &&str| {
        let (name, content) = file.split_once('=').expect("a name and a content");
        (name.to_owned(), content.to_owned())
    };
    files.iter().map(pair).collect()
}

fn sets(all: &[&[&str]]) -> BTreeSet<Contents> {
    all.iter().map(|files| contents(files)).collect()
}

/// Searches by the rules of POSIX.
fn posix(twin: &Twin, verdict: impl FnMut(&Crash<'_>) -> Result<(), String>) -> Findings {
    search(&twin.history(), Rules::POSIX, Search::default(), verdict)
}
