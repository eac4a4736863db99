//! Tries the breaks of `.ci/breaks`; see `.ci/break`.

use perf_proved_tests::breaks::trial::{self, Options};
use perf_proved_tests::root;
use std::env;
use std::process::ExitCode;

const HELP: &str = "\
Applies the breaks of .ci/breaks to copies of the checkout and checks that each is noticed.

Usage: .ci/break [OPTIONS] [TECHNIQUE...]

  --alone      try each break by itself, and tell which other claims fail with it
  --sanitizer  try the breaks that ThreadSanitizer must notice, and no others
  --sound      take it that what cargo test and cargo book check run passes unbroken
  --help       this text
";

fn main() -> ExitCode {
    let mut options = Options::default();
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--help" => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            "--alone" => options.alone = true,
            "--sanitizer" => options.sanitizer = true,
            "--sound" => options.sound = true,
            option if option.starts_with('-') => {
                eprintln!("unknown option {option}; .ci/break --help lists them");
                return ExitCode::from(2);
            }
            _ => options.techniques.push(argument),
        }
    }
    match trial::run(&root(), &options) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            // Once more, because they stand in the middle of a long output.
            eprintln!("{} findings:\n{}", findings.len(), findings.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
