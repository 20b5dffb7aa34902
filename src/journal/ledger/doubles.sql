-- Messages that `rehome dedup` set aside because their folder holds an equal one. Written before the move as `moving`,
-- after it as what became of it; nothing is ever taken out of this table.
CREATE TABLE IF NOT EXISTS ledger_double (
    id             INTEGER PRIMARY KEY,
    account        TEXT NOT NULL,               -- address of the spec, lower case
    place          TEXT NOT NULL,               -- login and server of the mailbox
    plan           TEXT NOT NULL,               -- the plan that somebody acknowledged
    folder         TEXT NOT NULL,               -- where it was: the folder's name as it is sent
    validity       INTEGER NOT NULL,            -- UIDVALIDITY there
    uid            INTEGER NOT NULL,            -- UID there
    kept           INTEGER NOT NULL,            -- UID of the equal message that stayed
    digest         BLOB NOT NULL,               -- SHA-256 of the octets of both
    octets         INTEGER NOT NULL,
    aside          TEXT NOT NULL,               -- where it goes: the folder's name as it is sent
    aside_validity INTEGER NOT NULL,            -- UIDVALIDITY there
    aside_uid      INTEGER,                     -- UID there, once it is known
    floor          INTEGER NOT NULL,            -- it can have no smaller UID in the folder of the move under way
    back_validity  INTEGER,                     -- where it was brought back to: UIDVALIDITY of `folder` then
    back_uid       INTEGER,                     -- and UID
    state          TEXT NOT NULL
        CHECK (state IN ('moving', 'aside', 'returning', 'back', 'stayed', 'gone'))
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_double_of ON ledger_double (account, state);
