//! Asks the tools of others for an effect that is known, and for what they do not see.
//!
//!     cargo run --release --package perf-proved-tools -- decide --machine NAME --cycles 50
//!     cargo run --release --package perf-proved-tools -- layout --machine NAME --orders 25
//!     cargo run --release --package perf-proved-tools -- flamegraph --machine NAME --example group_commit

use lexopt::prelude::*;
use perf_proved_tools::{Outcome, decide, flamegraph, layout};

fn main() -> Outcome<()> {
    let (mut command, mut machine, mut count) = (None, None, None);
    let mut example = "group_commit".to_owned();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(name) if command.is_none() => command = Some(name.string()?),
            Long("machine") => machine = Some(arguments.value()?.string()?),
            Long("example") => example = arguments.value()?.string()?,
            Long("cycles" | "orders") => count = Some(arguments.value()?.parse()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let machine = || machine.ok_or("--machine NAME is missing");
    match command.as_deref() {
        Some("decide") => decide::decide(&machine()?, count.unwrap_or(50)),
        Some("layout") => layout::layout(&machine()?, count.unwrap_or(25)),
        Some("flamegraph") => flamegraph::flamegraph(&machine()?, &example),
        _ => Err("one of decide, layout, flamegraph".into()),
    }
}
