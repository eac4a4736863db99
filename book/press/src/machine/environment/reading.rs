//! Reads files and programs that describe a machine. What is missing is `None`.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs a program and returns its output, or `None` if it is missing, fails or prints nothing.
pub(super) fn said(program: &str, arguments: &[&str]) -> Option<String> {
    // Programs name what they found in the language of the environment.
    let out = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .ok()
        .filter(|out| out.status.success())?;
    let text = String::from_utf8(out.stdout).ok()?.trim().to_string();
    (!text.is_empty()).then_some(text)
}

/// Returns a file's text without the white space around it, unless it has none.
pub(super) fn read(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?.trim().to_string();
    (!text.is_empty()).then_some(text)
}

/// Returns the value of the first line `name : value`.
pub(super) fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_string()).filter(|value| !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_or_field_is_none() {
        assert_eq!(said("no-such-program", &[]), None);
        assert_eq!(read("/no/such/file"), None);
        let text = "model\t\t: 207\nmodel name\t: Example\nempty :\n";
        assert_eq!(field(text, "model").as_deref(), Some("207"));
        assert_eq!(field(text, "empty"), None);
        assert_eq!(field(text, "name"), None);
    }
}
