//! F1: expected records and answers to findings (pure), and the lookups.
