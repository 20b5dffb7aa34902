-- Rights on folders of the target that a copy gave to others. What was given once is not given again: whoever took it
-- away since meant it.
CREATE TABLE IF NOT EXISTS ledger_acl (
    account    TEXT NOT NULL,               -- address of the spec, lower case
    platform   TEXT NOT NULL,               -- platform of the source, as the spec names it
    folder     TEXT NOT NULL,               -- the folder's name at the target, as it is sent
    identifier TEXT NOT NULL,               -- who
    rights     TEXT NOT NULL,               -- letters of RFC 4314
    PRIMARY KEY (account, platform, folder, identifier)
) STRICT, WITHOUT ROWID;
