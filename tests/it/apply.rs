//! The executor against the sandbox: order, undo, recovery.
