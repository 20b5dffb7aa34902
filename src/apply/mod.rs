//! F4: walks a plan: precondition, intent, perform, outcome, event.
