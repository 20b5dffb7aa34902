-- Messages that could not be copied, beside their rows in ledger_message. A row goes when its message arrived, was
-- deleted at the source, or is left out by a filter; a person's decision stays with it.
CREATE TABLE IF NOT EXISTS ledger_failure (
    mailbox      INTEGER NOT NULL REFERENCES ledger_mailbox (id),
    folder       TEXT NOT NULL,               -- JSON list of the components at the source
    validity     INTEGER NOT NULL,            -- UIDVALIDITY at the source
    uid          INTEGER NOT NULL,            -- UID at the source
    class        TEXT NOT NULL,               -- too-large, rejected, nul-octet, unreadable, ...
    reason       TEXT NOT NULL,
    octets       INTEGER NOT NULL,
    date         INTEGER,                     -- INTERNALDATE, seconds since 1970
    append_limit INTEGER,                     -- what the target took at most when it was last tried
    first        TEXT NOT NULL,
    last         TEXT NOT NULL,
    attempts     INTEGER NOT NULL,
    decision     TEXT CHECK (decision IN ('retry', 'ignore')),
    note         TEXT,                        -- why it is ignored
    PRIMARY KEY (mailbox, folder, validity, uid)
) STRICT, WITHOUT ROWID;
