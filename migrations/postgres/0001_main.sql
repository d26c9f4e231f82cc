-- What tells of a person is in columns named sealed_*: encrypted, bound to table, row and column.
CREATE TABLE prefecture_keys (
    prefecture TEXT NOT NULL,
    generation BIGINT NOT NULL,
    master_generation BIGINT NOT NULL,
    sealed_key BYTEA NOT NULL,
    PRIMARY KEY (prefecture, generation)
);

CREATE TABLE organizations (
    code TEXT PRIMARY KEY,
    active BIGINT NOT NULL,
    relay_desk TEXT NOT NULL,
    settings TEXT NOT NULL,
    connected_at BIGINT NOT NULL,
    last_upload_at BIGINT
);

CREATE TABLE terminals (
    serial TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    active BIGINT NOT NULL,
    registered_at BIGINT NOT NULL
);

CREATE TABLE staff (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    roles TEXT NOT NULL,
    active BIGINT NOT NULL,
    sealed_name BYTEA NOT NULL,
    password_hash TEXT,
    PRIMARY KEY (organization, id)
);

-- Records lie in a partition for each prefecture (都道府県ごとの格納領域) and one for what belongs to none (00).
CREATE TABLE records (
    id UUID NOT NULL,
    prefecture TEXT NOT NULL,
    owner TEXT NOT NULL,
    version BIGINT NOT NULL,
    owned_since BIGINT NOT NULL,
    closed BIGINT NOT NULL,
    serious BIGINT NOT NULL,
    searchable BIGINT NOT NULL,
    abuse_case BIGINT NOT NULL,
    residence TEXT NOT NULL,
    shielded BIGINT NOT NULL,
    shield_named TEXT NOT NULL,
    shield_lift_asked_by TEXT,
    sealed_key BYTEA NOT NULL,
    -- What the search index is built from, under the record's own key.
    sealed_index BYTEA NOT NULL,
    registered_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (prefecture, id)
) PARTITION BY LIST (prefecture);
CREATE INDEX records_by_owner ON records (owner, id);
-- Going over all of them in order.
CREATE INDEX records_by_id ON records (id);

-- Where a record lies, by its id alone; an id lies in one place.
CREATE TABLE record_places (
    id UUID PRIMARY KEY,
    prefecture TEXT NOT NULL
);
CREATE FUNCTION note_record_place() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS
$$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM record_places WHERE id = OLD.id AND prefecture = OLD.prefecture;
    ELSE
        INSERT INTO record_places (id, prefecture) VALUES (NEW.id, NEW.prefecture);
    END IF;
    RETURN NULL;
END $$;
-- A record that moves is deleted from one partition and inserted into another.
CREATE TRIGGER note_record_place AFTER INSERT OR DELETE ON records
FOR EACH ROW EXECUTE FUNCTION note_record_place();

CREATE TABLE record_versions (
    prefecture TEXT NOT NULL,
    record UUID NOT NULL,
    version BIGINT NOT NULL,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    change_kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    sealed_body BYTEA NOT NULL,
    PRIMARY KEY (prefecture, record, version)
) PARTITION BY LIST (prefecture);

CREATE TABLE attachments (
    prefecture TEXT NOT NULL,
    record UUID NOT NULL,
    id UUID NOT NULL,
    media_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    withheld BIGINT NOT NULL,
    at BIGINT NOT NULL,
    sealed_content BYTEA NOT NULL,
    PRIMARY KEY (prefecture, record, id)
) PARTITION BY LIST (prefecture);

DO $$
DECLARE
    kept TEXT;
BEGIN
    FOREACH kept IN ARRAY ARRAY['records', 'record_versions', 'attachments'] LOOP
        FOR number IN 0..47 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L)',
                kept || '_' || lpad(number::text, 2, '0'), kept, lpad(number::text, 2, '0'));
        END LOOP;
    END LOOP;
END $$;

CREATE TABLE provisions (
    record UUID NOT NULL,
    organization TEXT NOT NULL,
    version BIGINT NOT NULL,
    item_groups BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (record, organization)
);

CREATE TABLE transfers (
    id UUID PRIMARY KEY,
    record UUID NOT NULL,
    owner TEXT NOT NULL,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL,
    urgent BIGINT NOT NULL,
    version BIGINT,
    item_groups BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    offered_at BIGINT,
    expires_at BIGINT NOT NULL,
    safety_due_at BIGINT,
    safety_checked_at BIGINT,
    escalated_at BIGINT,
    sealed_note BYTEA NOT NULL
);
CREATE INDEX transfers_by_record ON transfers (record, state);
CREATE INDEX transfers_by_owner ON transfers (owner, id);
CREATE INDEX transfers_by_receiver ON transfers (receiver, id);

CREATE TABLE missing_notices (
    id UUID PRIMARY KEY,
    issuer TEXT NOT NULL,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    exercise BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    sealed_content BYTEA NOT NULL
);

CREATE TABLE notice_centers (
    notice UUID NOT NULL REFERENCES missing_notices (id),
    center TEXT NOT NULL,
    delivered_at BIGINT,
    read_at BIGINT,
    answered_at BIGINT,
    answer TEXT,
    sealed_details BYTEA,
    PRIMARY KEY (notice, center)
);

CREATE INDEX notice_centers_by_center ON notice_centers (center, notice);

CREATE TABLE serious_reviews (
    id UUID PRIMARY KEY,
    record UUID NOT NULL,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    sealed_note BYTEA NOT NULL
);
CREATE INDEX serious_reviews_by_record ON serious_reviews (record, id);

CREATE TABLE staffing_reports (
    center TEXT NOT NULL,
    fiscal_year BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (center, fiscal_year)
);

CREATE TABLE break_glass (
    record UUID NOT NULL,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    reviewed_at BIGINT,
    id UUID NOT NULL,
    sealed_reason BYTEA NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX break_glass_by_record ON break_glass (record, organization);

CREATE TABLE inquiries (
    id UUID PRIMARY KEY,
    record UUID NOT NULL,
    owner TEXT NOT NULL,
    asker TEXT NOT NULL,
    at BIGINT NOT NULL,
    answered_at BIGINT,
    sealed_question BYTEA NOT NULL,
    sealed_answer BYTEA
);

CREATE TABLE inbox (
    organization TEXT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    record UUID,
    subject UUID,
    entry UUID,
    from_organization TEXT,
    from_officer TEXT,
    from_terminal TEXT,
    purpose TEXT,
    PRIMARY KEY (organization, position)
);

CREATE TABLE inbox_acknowledged (
    organization TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);

CREATE TABLE idempotency (
    organization TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_digest BYTEA NOT NULL,
    outcome TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organization, idempotency_key)
);

CREATE TABLE ledger (
    node TEXT NOT NULL,
    position BIGINT NOT NULL,
    id UUID NOT NULL,
    organization TEXT NOT NULL,
    owner TEXT,
    record UUID,
    body BYTEA NOT NULL,
    sealed_note BYTEA,
    owner_salt BYTEA,
    PRIMARY KEY (node, position)
);
CREATE UNIQUE INDEX ledger_by_id ON ledger (id);
CREATE INDEX ledger_by_owner ON ledger (owner, position) WHERE owner IS NOT NULL;
CREATE INDEX ledger_by_organization ON ledger (organization, position);

CREATE TABLE ledger_heads (
    node TEXT PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    at BIGINT NOT NULL
);

-- A committed entry is never changed or removed.
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE ON ledger
FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_is_not_emptied BEFORE TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
