-- Who works on a record at this moment. One row for a record; a row past its time counts for nothing.
CREATE TABLE edit_locks (
    record UUID PRIMARY KEY,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    terminal TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL
);

-- The newest revocation list of each CA that was ever in force.
CREATE TABLE revocation_lists_seen (
    issuer TEXT PRIMARY KEY,
    list_number TEXT NOT NULL,
    issued_at BIGINT NOT NULL
);
