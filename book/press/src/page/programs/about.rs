//! The book as a whole, for those who list or cite it.

use mdbook_preprocessor::config::Config;

/// The facts that `book.toml` gives about the book.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its title.
    pub title: String,
    /// One sentence about it.
    pub description: String,
    /// Its authors.
    pub authors: Vec<String>,
    /// The address of its repository.
    pub repository: Option<String>,
}

impl About {
    /// Reads mdBook's configuration.
    #[must_use]
    pub fn of(config: &Config) -> About {
        let book = &config.book;
        let html = config.html_config();
        About {
            title: book.title.clone().unwrap_or_default(),
            description: book.description.clone().unwrap_or_default(),
            authors: book.authors.clone(),
            repository: html.and_then(|html| html.git_repository_url),
        }
    }

    /// Returns the title as the name of a file: `rust-performance-proved`.
    #[must_use]
    pub fn slug(&self) -> String {
        let title = self.title.to_lowercase();
        let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
        words.collect::<Vec<_>>().join("-")
    }
}
