//! A book for tests, in a folder of its own.

use crate::common::copy;
use press::cmd::build;
use press::model::Error;
use press::project::Project;
use std::fs;
use std::path::{Path, PathBuf};

/// A copy of the fixture, with the real book's configuration and theme; removed when dropped.
pub struct Site {
    pub root: PathBuf,
}

impl Site {
    pub fn new(name: &str) -> Site {
        let root =
            std::env::temp_dir().join(format!("press-printing-{name}-{}", std::process::id()));
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&here.join("tests/data/site"), &root);
        copy(&here.join("../theme"), &root.join("book/theme"));
        let config = fs::read_to_string(here.join("../book.toml")).unwrap();
        let (before, after) = config.split_once("\nreference = ").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let config = format!("{before}\nreference = \"reference\"\n{after}");
        fs::write(root.join("book/book.toml"), config).unwrap();
        Site { root }
    }

    pub fn project(&self) -> Project {
        Project::at(&self.root)
    }

    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.root.join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    pub fn print(&self) -> Result<(), Error> {
        build::build(&self.project())
    }

    pub fn page(&self, path: &str) -> String {
        fs::read_to_string(self.root.join("book/book").join(path)).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
