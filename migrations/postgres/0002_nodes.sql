CREATE TABLE sessions (
    token_digest BYTEA PRIMARY KEY,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    terminal TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_officer ON sessions (organization, officer);

-- What the memory of every node follows, in one order over all nodes.
CREATE TABLE changes (
    position BIGINT PRIMARY KEY,
    node TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL
);

-- Latest position of each inbox.
CREATE TABLE inbox_positions (
    organization TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);
INSERT INTO inbox_positions (organization, position)
SELECT organization, MAX(position) FROM inbox GROUP BY organization;

-- The ministry's list.
CREATE INDEX records_serious ON records (id) WHERE serious = 1;

-- Pages of entries go by id: positions are of one node's log.
DROP INDEX ledger_by_owner;
CREATE INDEX ledger_by_owner ON ledger (owner, id) WHERE owner IS NOT NULL;
DROP INDEX ledger_by_organization;
CREATE INDEX ledger_by_organization ON ledger (organization, id);

-- What a node may do, and no more: DDL, and changing or removing an entry, are not its business. The role has no login;
-- the role under which nodes sign in is made its member.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tsunagi_gateway') THEN
        CREATE ROLE tsunagi_gateway NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tsunagi_prefecture') THEN
        CREATE ROLE tsunagi_prefecture NOLOGIN;
    END IF;
EXCEPTION
    -- Roles are of the whole server: another database of it may be making them at this moment.
    WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO tsunagi_gateway;
-- And on the tables of later migrations.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tsunagi_gateway;
REVOKE UPDATE, DELETE ON ledger FROM tsunagi_gateway;
REVOKE DELETE ON ledger_heads FROM tsunagi_gateway;
REVOKE INSERT, UPDATE, DELETE ON record_places FROM tsunagi_gateway;
REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations FROM tsunagi_gateway;

-- A second wall: who reads a prefecture's tables for its own statistics or copies signs in as a member of
-- tsunagi_prefecture whose name ends in the prefecture's number, and meets no row of another, even by the parent table.
GRANT SELECT ON records, record_versions, attachments TO tsunagi_prefecture;
DO $$
DECLARE
    kept TEXT;
BEGIN
    FOREACH kept IN ARRAY ARRAY['records', 'record_versions', 'attachments'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', kept);
        EXECUTE format('CREATE POLICY of_the_gateway ON %I TO tsunagi_gateway USING (true) WITH CHECK (true)', kept);
        EXECUTE format('CREATE POLICY of_a_prefecture ON %I FOR SELECT TO tsunagi_prefecture
            USING (prefecture = right(current_user::text, 2))', kept);
    END LOOP;
END $$;
