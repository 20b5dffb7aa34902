-- JSON list of the messages of an open window that have no outcome yet, in the order they are sent.
ALTER TABLE ledger_window ADD COLUMN intents TEXT;
