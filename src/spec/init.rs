//! The file that `rehome init` writes.

/// A commented spec to start from. It is valid as it is; a test keeps it so.
#[must_use]
pub fn template_init() -> &'static str {
    include_str!("init.yaml")
}
