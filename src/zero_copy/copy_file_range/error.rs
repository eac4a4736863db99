//! The error of a copy.

use std::{error, fmt, io};

/// The reason why there is no copy. The target's name still refers to what it did before, except
/// after an error of the last step of [`Durability::OnDisk`](super::Durability::OnDisk).
#[derive(Debug)]
pub enum CopyError {
    /// The source is not a regular file, but what the string says: a directory, a device, a FIFO or
    /// a socket.
    SourceNotAFile(&'static str),
    /// The target exists and is not a regular file, but what the string says.
    TargetNotAFile(&'static str),
    /// The target is the source, under the same name or another.
    SameFile,
    /// The source was written to or truncated while it was copied.
    Changed,
    /// The kernel refused a step, which the string names.
    Failed(&'static str, io::Error),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceNotAFile(kind) => write!(f, "the source is {kind}, not a regular file"),
            Self::TargetNotAFile(kind) => write!(f, "the target is {kind}, not a regular file"),
            Self::SameFile => f.write_str("source and target are the same file"),
            Self::Changed => f.write_str("the source changed while it was copied"),
            Self::Failed(step, cause) => write!(f, "{step}: {cause}"),
        }
    }
}

impl error::Error for CopyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::Failed(_, cause) = self { Some(cause) } else { None }
    }
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        let kind = match &error {
            CopyError::SourceNotAFile(_) | CopyError::TargetNotAFile(_) | CopyError::SameFile => {
                io::ErrorKind::InvalidInput
            }
            CopyError::Changed => io::ErrorKind::ResourceBusy,
            CopyError::Failed(_, cause) => cause.kind(),
        };
        Self::new(kind, error)
    }
}

/// Names the step that failed.
pub(super) fn failed(step: &'static str) -> impl Fn(io::Error) -> CopyError {
    move |cause| CopyError::Failed(step, cause)
}
