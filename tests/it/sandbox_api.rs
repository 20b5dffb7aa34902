//! The emulated OVHcloud API: what a client may rely on when it rehearses against it.

mod faults;
mod harness;
mod hosted;
mod legacy;
mod rights;
mod whole;
mod zimbra;
mod zone;
