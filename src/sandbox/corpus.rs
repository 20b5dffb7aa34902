//! Mail to rehearse with: deterministic, realistic, odd.
