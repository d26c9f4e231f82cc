-- Files of many records, and what became of each line: lines, ids and rules, nothing of a record's content.
CREATE TABLE batches (
    id BLOB PRIMARY KEY,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    at BIGINT NOT NULL,
    report TEXT NOT NULL
);
CREATE INDEX batches_by_organization ON batches (organization, id);
