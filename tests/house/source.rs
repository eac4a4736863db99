//! Rust source as the rules see it: what is code, what is a comment, and what a file uses.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, iter};

/// The class of a character of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Code,
    Comment,
    /// The inside of a string or character literal.
    Text,
}

/// Returns the class of each character of `source`.
pub(super) fn classes(source: &str) -> Vec<Class> {
    let chars: Vec<char> = source.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut classes = vec![];
    while classes.len() < chars.len() {
        let start = classes.len();
        let (class, end) = match (at(start), at(start + 1)) {
            ('/', '/') => (Class::Comment, line_end(&chars, start)),
            ('/', '*') => (Class::Comment, comment_end(&chars, start)),
            ('"', _) => (Class::Text, text_end(&chars, start)),
            ('r', '"' | '#') if !is_word(&chars, start) => match raw_end(&chars, start) {
                Some(end) => (Class::Text, end),
                None => (Class::Code, start + 1),
            },
            ('\'', '\\') => (Class::Text, quote_end(&chars, start + 3)),
            ('\'', _) if at(start + 2) == '\'' => (Class::Text, start + 3),
            _ => (Class::Code, start + 1),
        };
        classes.extend(iter::repeat_n(class, end.min(chars.len()) - start));
    }
    classes
}

fn line_end(chars: &[char], start: usize) -> usize {
    chars[start..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| start + length)
}

/// Returns the end of a block comment, which may hold others.
fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut index = start;
    while index + 1 < chars.len() {
        match (chars[index], chars[index + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            return index;
        }
    }
    chars.len()
}

fn text_end(chars: &[char], start: usize) -> usize {
    let mut index = start + 1;
    while index < chars.len() && chars[index] != '"' {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

fn quote_end(chars: &[char], from: usize) -> usize {
    chars.iter().skip(from).position(|&c| c == '\'').map_or(chars.len(), |more| from + more + 1)
}

/// Returns the end of a raw string that starts here, if one does.
fn raw_end(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = iter::once('"').chain(iter::repeat_n('#', hashes)).collect();
    let body = start + 2 + hashes;
    let length = chars[body..].windows(close.len()).position(|window| window == close)?;
    Some(body + length + close.len())
}

/// Returns `true` if the character before belongs to the same word, as in `for"`; a byte string is
/// no word.
fn is_word(chars: &[char], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).map(|index| chars[index]);
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    is_part(before(1)) && (before(1) != Some('b') || is_part(before(2)))
}

/// Returns `source` with everything but code replaced by blanks.
pub(super) fn code(source: &str) -> String {
    let keep = |(c, class): (char, Class)| match class {
        Class::Code => c,
        _ if c == '\n' => '\n',
        _ => ' ',
    };
    source.chars().zip(classes(source)).map(keep).collect()
}

/// Returns the `*.rs` files below `folder` as paths from `root`, sorted.
pub(super) fn files(root: &Path, folder: &str) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // Built, or a project of its own that is a test's data.
            let is_foreign = path.ends_with("/target") || path.ends_with("/data");
            if is_folder && !is_foreign {
                folders.push(path);
            } else if !is_folder && path.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path that a file names, from the root of its crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Used {
    pub path: Vec<String>,
    /// Only passed on by `pub use`, and named nowhere else in the file.
    pub is_facade: bool,
}

/// Returns the paths of its own crate that the module `module` names, in `use` and in the code.
/// Modules for tests (`#[cfg(test)] mod … { … }`) do not count.
pub(super) fn used(module: &[String], source: &str) -> BTreeSet<Used> {
    let tokens = tokens(&code(source));
    let token = |index: usize| tokens.get(index).map_or("", String::as_str);
    let mut found = BTreeSet::new();
    let mut facades: Vec<(Vec<String>, String)> = vec![];
    let mut words = BTreeSet::new();
    // Modules within the file, each with the depth of braces that it stands at.
    let mut inside: Vec<(String, usize)> = vec![];
    let mut depth = 0;
    let mut index = 0;
    while index < tokens.len() {
        match (token(index), token(index + 1)) {
            ("#", "[") if token(index + 2) == "cfg" => {
                let end = (index..tokens.len()).find(|&at| token(at) == "]");
                let end = end.unwrap_or(tokens.len() - 1);
                let condition = &tokens[index..end];
                let has = |word: &str| condition.iter().any(|token| token == word);
                index = end + 1;
                if !has("test") || has("not") {
                    continue;
                }
                if token(index) == "mod" && token(index + 2) == "{" {
                    index = skip_braces(&tokens, index + 2);
                }
                continue;
            }
            ("mod", name) if token(index + 2) == "{" => {
                inside.push((name.to_owned(), depth));
                depth += 1;
                index += 3;
                continue;
            }
            ("{", _) => depth += 1,
            ("}", _) => {
                depth = usize::saturating_sub(depth, 1);
                if inside.last().is_some_and(|(_, opened)| *opened == depth) {
                    inside.pop();
                }
            }
            ("use", _) => {
                let is_public = index > 0 && ["pub", ")"].contains(&token(index - 1));
                let end = (index..tokens.len()).find(|&at| token(at) == ";");
                let end = end.unwrap_or(tokens.len());
                let here = inner(module, &inside);
                for (path, name) in tree(&tokens[index + 1..end]) {
                    let Some(path) = resolve(&here, &path) else { continue };
                    if is_public && inside.is_empty() && name != "*" {
                        facades.push((path, name));
                    } else {
                        found.insert(Used { path, is_facade: false });
                    }
                }
                index = end;
                continue;
            }
            ("crate" | "super" | "self", "::") => {
                let mut path = vec![token(index).to_owned()];
                while token(index + 1) == "::" && is_identifier(token(index + 2)) {
                    path.push(token(index + 2).to_owned());
                    index += 2;
                }
                if let Some(path) = resolve(&inner(module, &inside), &path) {
                    found.insert(Used { path, is_facade: false });
                }
            }
            (word, _) => {
                words.insert(word.to_owned());
                // `sub::name`, where `sub` may be a module below this one.
                if is_identifier(word) && token(index + 1) == "::" && is_first(&tokens, index) {
                    let path = [inner(module, &inside), vec![word.to_owned()]].concat();
                    found.insert(Used { path, is_facade: false });
                }
            }
        }
        index += 1;
    }
    for (path, name) in facades {
        found.insert(Used { is_facade: !words.contains(&name), path });
    }
    found
}

fn is_first(tokens: &[String], index: usize) -> bool {
    index == 0 || tokens[index - 1] != "::"
}

fn is_identifier(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn inner(module: &[String], inside: &[(String, usize)]) -> Vec<String> {
    module.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect()
}

/// Splits code into identifiers, `::`, and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = vec![];
    let mut previous = ' ';
    for c in code.chars() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if is_word(c) && is_word(previous) => last.push(c),
            Some(last) if c == ':' && previous == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        previous = c;
    }
    tokens
}

fn skip_braces(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

/// Lists the paths of a use tree, each with the name that it brings into scope.
fn tree(tokens: &[String]) -> Vec<(Vec<String>, String)> {
    let mut found = vec![];
    let mut prefixes: Vec<Vec<String>> = vec![vec![]];
    let mut path: Vec<String> = vec![];
    let mut alias = None;
    let mut finish = |path: &mut Vec<String>, alias: &mut Option<String>| {
        if let Some(last) = path.last().cloned() {
            let name = alias.take().unwrap_or(last);
            found.push((std::mem::take(path), name));
        }
    };
    let mut index = 0;
    while index < tokens.len() {
        match tokens[index].as_str() {
            "{" => {
                prefixes.push(path.clone());
            }
            "}" => {
                finish(&mut path, &mut alias);
                prefixes.pop();
                path = vec![];
            }
            "," => {
                finish(&mut path, &mut alias);
                path = prefixes.last().cloned().unwrap_or_default();
            }
            "as" => {
                alias = tokens.get(index + 1).cloned();
                index += 1;
            }
            "::" => {}
            part => path.push(part.to_owned()),
        }
        index += 1;
    }
    finish(&mut path, &mut alias);
    // `a::{self}` is `a`.
    for (path, name) in &mut found {
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
            if name == "self" {
                *name = path.last().cloned().unwrap_or_default();
            }
        }
    }
    found
}

/// Returns a path from the root of the crate, or nothing for a path of another crate. A first name
/// that is neither may be a module below, and comes back as one.
fn resolve(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => vec![],
        "self" | "super" => module.to_vec(),
        _ => return Some([module, path].concat()),
    };
    if first == "super" {
        base.pop()?;
    }
    let mut rest = rest.iter().peekable();
    while rest.next_if(|part| *part == "super").is_some() {
        base.pop()?;
    }
    base.extend(rest.cloned());
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(module: &[&str], source: &str) -> Vec<String> {
        let module: Vec<String> = module.iter().map(|part| (*part).to_owned()).collect();
        let show = |used: Used| {
            let mark = if used.is_facade { "pub " } else { "" };
            format!("{mark}{}", used.path.join("::"))
        };
        used(&module, source).into_iter().map(show).collect()
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        assert_eq!(code("a // b\n\"c\" d"), "a     \n    d");
        assert_eq!(code("r#\"a\"b\"#c/*d/*e*/f*/g"), "        c           g");
        assert_eq!(code("'a' 'b '\\n' b\"c\" x"), "    'b      b    x");
    }

    #[test]
    fn use_trees_and_paths_are_resolved() {
        let source = "use super::{self as up, c::D}; fn f() { crate::x::y(); self::z() }";
        assert_eq!(paths(&["a", "b"], source), ["a", "a::b::z", "a::c::D", "x::y"]);
        let source = "mod m { use super::n; }";
        assert_eq!(paths(&["a"], source), ["a::n"]);
    }

    #[test]
    fn what_is_only_passed_on_is_told_apart() {
        assert_eq!(paths(&["a"], "pub use self::b::C;"), ["pub a::b::C"]);
        assert_eq!(paths(&["a"], "pub use self::b::C; fn f(c: C) {}"), ["a::b::C"]);
    }

    #[test]
    fn tests_do_not_count() {
        let source = "fn f() {} #[cfg(test)] mod tests { use crate::a; } use crate::b;";
        assert_eq!(paths(&[], source), ["b"]);
    }
}
