//! Runs other programs: cargo, examples, benches.

use crate::model::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The outcome of a program.
pub(crate) struct Outcome {
    /// The exit status, or `None` if the program was stopped for taking too long.
    pub status: Option<ExitStatus>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Describes a failure of the program `what`, with the last lines that it wrote.
    pub fn failure(&self, what: &str, limit: Duration) -> Error {
        let how = match self.status {
            None => format!("was stopped after {} seconds", limit.as_secs()),
            Some(status) => format!("failed ({status})"),
        };
        Error::Failed(format!("{what} {how}{}", tail(&self.stderr)))
    }
}

/// Formats the last lines of a program's output as the end of a message.
pub(crate) fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let last: Vec<String> =
        lines[lines.len().saturating_sub(8)..].iter().map(|line| format!("\n    {line}")).collect();
    if last.is_empty() { String::new() } else { format!(":{}", last.concat()) }
}

/// Runs a program to its end, or stops it after `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Outcome, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |e: io::Error| Error::Failed(format!("cannot run {program}: {e}"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break Some(status);
        }
        if started.elapsed() >= limit {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            break None;
        }
        // Less often after the first second: a bench should have the machine to itself.
        thread::sleep(Duration::from_millis(if started.elapsed().as_secs() < 1 {
            10
        } else {
            100
        }));
    };
    // A child that the program left behind may hold the pipes open for good, so wait no longer than
    // a second for more.
    let finish = |receiver: mpsc::Receiver<Vec<u8>>| {
        let mut bytes = Vec::new();
        while let Ok(more) = receiver.recv_timeout(Duration::from_secs(1)) {
            bytes.extend(more);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Outcome { status, stdout: finish(stdout), stderr: finish(stderr) })
}

/// Reads a pipe on a thread of its own, so that the program cannot block on a full one.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

/// Returns a command for cargo: the one that runs this process, if there is one. The variables by
/// which cargo describes the press's own package are removed.
pub(crate) fn cargo(project: &crate::project::Project) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(project.root()).env("CARGO_TARGET_DIR", project.target());
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Builds programs with cargo, whose progress goes to the terminal, and returns the path of each by
/// its name. `kind` is cargo's word for such a target, and `what` names all of them in messages.
pub(crate) fn programs(
    project: &crate::project::Project,
    kind: &str,
    what: &str,
    arguments: &[&str],
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let (subcommand, rest) = arguments.split_first().expect("a command of cargo");
    let mut command = cargo(project);
    command
        .args([subcommand, "--message-format=json-render-diagnostics"])
        .args(rest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let out = command.output().map_err(|e| Error::Failed(format!("cannot run cargo: {e}")))?;
    if !out.status.success() {
        return Err(Error::Failed(format!("the {what} do not build ({})", out.status)));
    }
    let stdout = String::from_utf8_lossy(&out.stdout);
    let messages = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = messages.filter_map(|message| {
        let target = &message["target"];
        let is_one = target["kind"][0] == kind;
        let program = is_one.then(|| message["executable"].as_str().map(PathBuf::from))??;
        Some((target["name"].as_str()?.to_string(), program))
    });
    Ok(programs.collect())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: u64) -> Outcome {
        run(Command::new("sh").args(["-c", script]), Duration::from_millis(limit)).unwrap()
    }

    #[test]
    fn both_outputs_and_the_status_come_back() {
        let outcome = sh("echo out; echo err >&2; exit 3", 10_000);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\n", "err\n"));
        let Error::Failed(message) = outcome.failure("the thing", Duration::ZERO) else { panic!() };
        assert_eq!(message, "the thing failed (exit status: 3):\n    err");
        assert_eq!(
            sh("head -c 300000 /dev/zero", 10_000).stdout.len(),
            300_000,
            "more than a pipe holds"
        );
    }

    #[test]
    fn a_hanging_program_is_stopped() {
        let outcome = sh("echo before >&2; exec sleep 600", 200);
        assert!(outcome.status.is_none() && !outcome.success());
        let Error::Failed(message) = outcome.failure("the thing", Duration::from_secs(120)) else {
            panic!()
        };
        assert_eq!(message, "the thing was stopped after 120 seconds:\n    before");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program"), Duration::ZERO).err().unwrap();
        assert!(error.to_string().starts_with("cannot run no-such-program: "), "{error}");
    }
}
