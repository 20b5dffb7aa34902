//! The emulated OVHcloud API.
