-- When a record was closed: its retention is counted from there.
ALTER TABLE records ADD COLUMN closed_at BIGINT;
UPDATE records SET closed_at = updated_at WHERE closed = 1;
CREATE INDEX records_by_closing ON records (owner, closed_at) WHERE closed_at IS NOT NULL;

-- How much longer than the standard a body keeps its records.
CREATE TABLE retention_settings (
    organization TEXT PRIMARY KEY,
    settings TEXT NOT NULL
);

-- Lists of records that one officer asks to dispose of, and another approves: ids, codes and times.
CREATE TABLE disposals (
    id UUID PRIMARY KEY,
    organization TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    decided_by TEXT,
    decided_at BIGINT,
    destroyed_at BIGINT
);
CREATE INDEX disposals_by_organization ON disposals (organization, id);
CREATE INDEX disposals_by_state ON disposals (state);

-- slot: number of the secret that was destroyed with the record; it stays, so that an older copy of the secrets is
-- brought up to date by it.
CREATE TABLE disposal_records (
    disposal UUID NOT NULL REFERENCES disposals (id),
    record UUID NOT NULL,
    slot BIGINT,
    PRIMARY KEY (disposal, record)
);
CREATE INDEX disposal_records_by_record ON disposal_records (record);

-- Each start of a node takes a run of slots that no other start has.
CREATE TABLE key_runs (
    run BIGINT PRIMARY KEY
);

-- How far records' keys are wrapped anew, so that an interrupted run goes on.
CREATE TABLE rewraps (
    id UUID PRIMARY KEY,
    master_generation BIGINT NOT NULL,
    asked_by TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    -- The last record that was looked at, and how many were wrapped anew.
    after_record UUID NOT NULL,
    wrapped BIGINT NOT NULL
);
