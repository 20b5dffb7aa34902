//! Adapters against the sandbox's API.
