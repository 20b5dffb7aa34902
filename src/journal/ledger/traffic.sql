-- How much was read from and sent to mailboxes with a daily limit, by hour, so that the limit holds over restarts. Rows
-- older than a day mean nothing any more.
CREATE TABLE IF NOT EXISTS ledger_traffic (
    host      TEXT NOT NULL,     -- host:port
    login     TEXT NOT NULL,     -- whose mailbox
    direction TEXT NOT NULL,     -- down or up
    hour      INTEGER NOT NULL,  -- hours since 1970
    octets    INTEGER NOT NULL,
    PRIMARY KEY (host, login, direction, hour)
) STRICT;
