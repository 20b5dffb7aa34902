//! The independent checker sees every kind of difference.
