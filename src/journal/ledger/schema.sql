-- The ledger of copied messages. One row of ledger_mailbox per account of the spec and platform that its mail comes
-- from. `epoch` is a fencing number: whoever begins a copy raises it, and writes under an older number are refused.
CREATE TABLE IF NOT EXISTS ledger_mailbox (
    id       INTEGER PRIMARY KEY,
    account  TEXT NOT NULL,           -- address of the spec, lower case
    platform TEXT NOT NULL,           -- platform of the source, as the spec names it
    address  TEXT NOT NULL,           -- address of the source when it was last opened
    epoch    INTEGER NOT NULL,
    UNIQUE (account, platform)
) STRICT;

CREATE TABLE IF NOT EXISTS ledger_folder (
    id              INTEGER PRIMARY KEY,
    mailbox         INTEGER NOT NULL REFERENCES ledger_mailbox (id),
    path            TEXT NOT NULL,               -- JSON list of the components at the source
    source_validity INTEGER NOT NULL DEFAULT 0,
    target          TEXT,                        -- name at the target
    target_validity INTEGER NOT NULL DEFAULT 0,
    adopt_below     INTEGER NOT NULL DEFAULT 0,  -- target UIDs below this may be adopted
    distrusted      INTEGER NOT NULL DEFAULT 0,  -- 1: APPENDUID of this target was found wrong
    status          TEXT,                        -- JSON: source status when the last complete pass began
    counts          TEXT,                        -- JSON: sums of the last complete pass
    UNIQUE (mailbox, path)
) STRICT;

CREATE TABLE IF NOT EXISTS ledger_window (
    id              INTEGER PRIMARY KEY,
    folder          INTEGER NOT NULL REFERENCES ledger_folder (id),
    source_validity INTEGER NOT NULL,
    target_validity INTEGER NOT NULL,
    floor           INTEGER NOT NULL,            -- nothing of the window has a smaller UID at the target
    epoch           INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('open', 'settled'))
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_window_open ON ledger_window (folder) WHERE state = 'open';

CREATE TABLE IF NOT EXISTS ledger_message (
    folder          INTEGER NOT NULL REFERENCES ledger_folder (id),
    validity        INTEGER NOT NULL,            -- UIDVALIDITY at the source
    uid             INTEGER NOT NULL,            -- UID at the source
    state           TEXT NOT NULL                -- no IN: SQLite would fill a table with its list for each row
        CHECK (state = 'acked' OR state = 'adopted' OR state = 'planned' OR state = 'intent' OR state = 'excluded'
            OR state = 'failed' OR state = 'gone'),
    digest          BLOB,                        -- SHA-256 of the octets
    octets          INTEGER NOT NULL DEFAULT 0,
    announced       INTEGER NOT NULL DEFAULT 0,  -- RFC822.SIZE
    date            INTEGER,                     -- INTERNALDATE, seconds since 1970
    source_flags    TEXT NOT NULL DEFAULT '',    -- sorted, separated by blanks
    target_flags    TEXT NOT NULL DEFAULT '',
    target_validity INTEGER,
    target_uid      INTEGER,
    window          INTEGER REFERENCES ledger_window (id),
    class           TEXT,
    reason          TEXT,
    PRIMARY KEY (folder, validity, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ledger_message_target ON ledger_message (folder, target_validity, target_uid)
    WHERE target_uid IS NOT NULL;
CREATE INDEX IF NOT EXISTS ledger_message_window ON ledger_message (window) WHERE state = 'intent';
