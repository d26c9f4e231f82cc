-- Each version and attachment lies with its record's prefecture.
ALTER TABLE record_versions ADD COLUMN prefecture TEXT NOT NULL DEFAULT '';
UPDATE record_versions SET prefecture = (SELECT prefecture FROM records WHERE id = record);
ALTER TABLE attachments ADD COLUMN prefecture TEXT NOT NULL DEFAULT '';
UPDATE attachments SET prefecture = (SELECT prefecture FROM records WHERE id = record);

-- Where a record lies, by its id alone.
CREATE VIEW record_places AS SELECT id, prefecture FROM records;

CREATE TABLE sessions (
    token_digest BLOB PRIMARY KEY,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    terminal TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_officer ON sessions (organization, officer);

-- The ministry's list.
CREATE INDEX records_serious ON records (id) WHERE serious = 1;

-- Pages of entries go by id: positions are of one node's log.
DROP INDEX ledger_by_owner;
CREATE INDEX ledger_by_owner ON ledger (owner, id) WHERE owner IS NOT NULL;
DROP INDEX ledger_by_organization;
CREATE INDEX ledger_by_organization ON ledger (organization, id);
