//! Plans as people read them, and the planner's laws.
