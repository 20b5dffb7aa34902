//! `hooks:` as it was written.

use super::{
    leaf::{List, Number},
    read::record,
};

record! {
    /// Programs that are told what happens. Each gets one JSON object on standard input.
    Hooks, "`hooks`" {
        /// Before anything of a run. When it fails, nothing begins.
        "before-apply" => before_apply: Hook,
        /// Before an action. When it fails, the action does not begin, and its chain stops.
        "before-action" => before_action: Hook,
        /// After an action was done.
        "after-action" => after_action: Hook,
        /// After an action failed, or nobody can tell whether it was done.
        "on-failure" => on_failure: Hook,
        /// After a run has ended, however it did.
        "after-run" => after_run: Hook,
    }
}

record! {
    /// A program to call.
    Hook, "a hook" {
        /// The program and its arguments. No shell is involved; it runs in the folder of the spec.
        #[schemars(required)]
        "run" => run: List<String>,
        /// The longest that it may take, in seconds. The default is 60.
        "timeout" => timeout: Number,
    }
}
