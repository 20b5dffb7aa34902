-- How many connections servers turned out to take, learned from a refusal. A row older than a week means nothing any
-- more: servers are changed.
CREATE TABLE IF NOT EXISTS ledger_cap (
    host    TEXT NOT NULL,      -- host:port
    login   TEXT NOT NULL,      -- whose connections; empty for those of everybody
    cap     INTEGER NOT NULL,   -- how many are opened at most
    learned INTEGER NOT NULL,   -- when, in seconds since 1970
    PRIMARY KEY (host, login)
) STRICT, WITHOUT ROWID;
