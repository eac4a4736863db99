//! The live monitor: exact counts, bounds, consistent scrapes, both text formats read back by a
//! strict parser, exporters and scrapers that misbehave; and the naive versions fail in the ways
//! that their documentation lists.
#![cfg(target_os = "linux")]

#[path = "monitor/exporters.rs"]
mod exporters;
#[path = "monitor/figures.rs"]
mod figures;
#[path = "monitor/files.rs"]
mod files;
#[path = "monitor/formats.rs"]
mod formats;
#[path = "monitor/naive.rs"]
mod naive;
#[path = "monitor/names.rs"]
mod names;
#[path = "monitor/parser.rs"]
mod parser;
#[path = "monitor/scrapes.rs"]
mod scrapes;
#[path = "monitor/series.rs"]
mod series;
#[path = "monitor/server.rs"]
mod server;
#[path = "monitor/updates.rs"]
mod updates;
#[path = "monitor/watched.rs"]
mod watched;

use perf_proved::measuring::monitor::{Format, Registry, Settings};
use perf_proved::proof::allocations::Counting;
use perf_proved_tests::Watch;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Long enough for anything here that works.
const DEADLINE: Duration = Duration::from_secs(10);

/// Watches the test of this thread.
fn watch() -> Watch {
    Watch::new(DEADLINE, "")
}

/// Creates a registry whose metrics have at most `most` series.
fn bounded(most: usize) -> Registry {
    Registry::with(Settings { series_per_metric: most })
}

/// Renders a registry, and reads it back.
fn scrape(registry: &Registry, format: Format) -> parser::Scrape {
    let mut text = vec![];
    registry.render(format, &mut text);
    parser::parse(&String::from_utf8(text).unwrap(), format)
}
