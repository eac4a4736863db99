//! Reads the blocks that the press fills from the whole book: overviews, and a claim shown live.

use crate::ids::kebab;
use crate::model::{Generated, Place};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOverview {
    of: RawSubject,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawSubject {
    Beliefs,
    Claims,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLive {
    claim: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClone {
    then: Vec<String>,
}

/// Checks the commands to start with.
pub(super) fn clone(raw: RawClone) -> Result<Generated, String> {
    if raw.then.is_empty() || raw.then.iter().any(|command| command.trim().is_empty()) {
        return Err("`then` is a list of commands".to_owned());
    }
    Ok(Generated::Clone { then: raw.then })
}

/// Checks an overview.
pub(super) fn overview(raw: &RawOverview) -> Generated {
    match raw.of {
        RawSubject::Beliefs => Generated::Beliefs,
        RawSubject::Claims => Generated::Claims,
    }
}

/// Checks a claim that is shown live.
pub(super) fn live(raw: RawLive, place: &Place) -> Result<Generated, String> {
    if !kebab(&raw.claim) {
        return Err(format!("`claim` is the id of a claim, not `{}`", raw.claim));
    }
    Ok(Generated::Live { claim: raw.claim, place: place.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::blocks::blocks;
    use super::*;
    use crate::model::Block;
    use std::path::Path;

    fn read(block: &str) -> Result<Generated, String> {
        let (mut blocks, problems) = blocks(Path::new("a.md"), block);
        match (blocks.pop().map(|block| block.item), problems.first()) {
            (Some(Block::Generated(generated)), None) => Ok(generated),
            (_, problem) => Err(problem.expect("a problem").to_string()),
        }
    }

    #[test]
    fn the_commands_to_start_with_are_read() {
        let clone = |then: &str| read(&format!("```clone\nthen = {then}\n```\n"));
        assert!(matches!(clone("['a b']"), Ok(Generated::Clone { then }) if then == ["a b"]));
        assert!(clone("[]").unwrap_err().contains("`then` is a list of commands"));
        assert!(clone("[' ']").unwrap_err().contains("`then` is a list of commands"));
    }

    #[test]
    fn overviews_and_live_claims_are_read() {
        let of = |of: &str| read(&format!("```overview\nof = '{of}'\n```\n"));
        assert!(matches!(of("beliefs"), Ok(Generated::Beliefs)));
        assert!(matches!(of("claims"), Ok(Generated::Claims)));
        assert!(of("pages").unwrap_err().contains("unknown variant `pages`"));
        let live = |claim: &str| read(&format!("```live\nclaim = '{claim}'\n```\n"));
        assert!(matches!(live("a-b"), Ok(Generated::Live { claim, .. }) if claim == "a-b"));
        assert!(live("A b").unwrap_err().contains("`claim` is the id of a claim, not `A b`"));
    }
}
