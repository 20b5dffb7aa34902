-- The journal of one workspace, format 1. docs/journal.md explains it for people with a sqlite3 shell.
-- Times are RFC 3339 in UTC. Nothing here holds a secret, only references to secrets.

-- One row per fact about the file itself. `format` is the number of the newest migration that was made.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may write. There is one row; `owner` is NULL when nobody may. `epoch` only ever grows: whoever takes the lease
-- adds one, and the writes of whoever had it before are refused from then on.
CREATE TABLE lease (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    epoch   INTEGER NOT NULL,
    owner   TEXT,              -- the person or job, as given by the command line
    host    TEXT,              -- where it runs
    pid     INTEGER,           -- its process there
    run     TEXT,              -- the run it executes, once it has one
    since   TEXT,              -- when it took the lease
    expires TEXT               -- when others may take it, unless it is renewed before
) STRICT;
INSERT INTO lease (id, epoch) VALUES (1, 0);

-- One row per application of a plan. A resumed run keeps its row.
CREATE TABLE run (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,           -- run-000001
    plan_id TEXT NOT NULL,                  -- SHA-256 of the plan's body
    acks    TEXT NOT NULL,                  -- JSON list of what was acknowledged for it
    started TEXT NOT NULL,
    ended   TEXT,                           -- NULL while it runs, and after a crash until it is resumed
    exit    INTEGER,                        -- the exit code it ended with
    actor   TEXT NOT NULL,                  -- who last began or resumed it
    host    TEXT NOT NULL,
    pid     INTEGER NOT NULL,
    epoch   INTEGER NOT NULL,               -- the lease it was last begun or resumed under
    plan    TEXT NOT NULL,                  -- the whole plan as JSON: what `rehome resume` goes on with
    CHECK ((ended IS NULL) = (exit IS NULL))
) STRICT;
CREATE UNIQUE INDEX run_open ON run ((1)) WHERE ended IS NULL; -- at most one run is open
CREATE INDEX run_plan ON run (plan_id);

-- What happened to each action of a run, in order. Rows are only ever added.
CREATE TABLE entry (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    run     TEXT NOT NULL REFERENCES run (id),
    action  TEXT NOT NULL,                  -- account.rename:exchange/john.smith@mydomain.ovh
    attempt INTEGER NOT NULL,               -- from 1; 0 for what failed before its first attempt
    kind    TEXT NOT NULL CHECK (kind IN
            ('intent', 'done', 'adopted', 'failed', 'undo', 'undone', 'ambiguous', 'resolved')),
    at      TEXT NOT NULL,
    epoch   INTEGER NOT NULL,               -- the lease it was written under
    payload TEXT NOT NULL                   -- JSON; its fields depend on the kind
) STRICT;
CREATE INDEX entry_action ON entry (run, action, seq);

-- What is known of each mailbox of the spec.
CREATE TABLE mailbox (
    address         TEXT PRIMARY KEY NOT NULL,  -- the address of the spec, lower case
    source_platform TEXT,                       -- where its mail came from, as last copied
    source_address  TEXT,
    seen            TEXT NOT NULL,              -- JSON: the source's folders as the last complete pass saw them
    counts          TEXT,                       -- JSON: the sums of that pass
    passes          INTEGER NOT NULL,           -- how many passes were completed
    verified        TEXT                        -- JSON: when the target was last proved equal to the source
) STRICT, WITHOUT ROWID;

-- Single facts. `key` is `protect:ADDRESS` or `password:PLATFORM/ADDRESS`; `value` is the time it was recorded.
CREATE TABLE fact (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
