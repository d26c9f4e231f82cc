-- A keyed digest of everything that a row decides (docs/decisions/0021-rows-that-decide.md). Rows of before have none until
-- an operator has them authenticated.
ALTER TABLE prefecture_keys ADD COLUMN mark BYTEA;
ALTER TABLE organizations ADD COLUMN mark BYTEA;
ALTER TABLE terminals ADD COLUMN mark BYTEA;
ALTER TABLE staff ADD COLUMN mark BYTEA;
ALTER TABLE sessions ADD COLUMN mark BYTEA;
ALTER TABLE records ADD COLUMN mark BYTEA;
ALTER TABLE record_versions ADD COLUMN mark BYTEA;
ALTER TABLE attachments ADD COLUMN mark BYTEA;
ALTER TABLE provisions ADD COLUMN mark BYTEA;
ALTER TABLE transfers ADD COLUMN mark BYTEA;
ALTER TABLE break_glass ADD COLUMN mark BYTEA;
ALTER TABLE inquiries ADD COLUMN mark BYTEA;
ALTER TABLE serious_reviews ADD COLUMN mark BYTEA;
ALTER TABLE missing_notices ADD COLUMN mark BYTEA;
ALTER TABLE notice_centers ADD COLUMN mark BYTEA;
ALTER TABLE staffing_reports ADD COLUMN mark BYTEA;
ALTER TABLE retention_settings ADD COLUMN mark BYTEA;
ALTER TABLE disposals ADD COLUMN mark BYTEA;
ALTER TABLE disposal_records ADD COLUMN mark BYTEA;
ALTER TABLE inbox ADD COLUMN mark BYTEA;
ALTER TABLE inbox_acknowledged ADD COLUMN mark BYTEA;
ALTER TABLE idempotency ADD COLUMN mark BYTEA;
ALTER TABLE edit_locks ADD COLUMN mark BYTEA;
ALTER TABLE revocation_lists_seen ADD COLUMN mark BYTEA;
ALTER TABLE key_runs ADD COLUMN mark BYTEA;
ALTER TABLE rewraps ADD COLUMN mark BYTEA;
ALTER TABLE batches ADD COLUMN mark BYTEA;
ALTER TABLE credentials ADD COLUMN mark BYTEA;
ALTER TABLE recovery_codes ADD COLUMN mark BYTEA;
ALTER TABLE enrolment_codes ADD COLUMN mark BYTEA;
ALTER TABLE staff_grants ADD COLUMN mark BYTEA;
ALTER TABLE staff_names ADD COLUMN mark BYTEA;
ALTER TABLE sign_in_locks ADD COLUMN mark BYTEA;
ALTER TABLE sign_in_policies ADD COLUMN mark BYTEA;
ALTER TABLE waiting_acts ADD COLUMN mark BYTEA;
-- The digest of the marks of all that hangs on the row.
ALTER TABLE records ADD COLUMN parts BYTEA NOT NULL DEFAULT '\x00000000000000000000000000000000';
ALTER TABLE missing_notices ADD COLUMN parts BYTEA NOT NULL DEFAULT '\x00000000000000000000000000000000';
ALTER TABLE disposals ADD COLUMN parts BYTEA NOT NULL DEFAULT '\x00000000000000000000000000000000';
-- The end of the waiting time as the owner was told, and why a list came to nothing. `approved` meant until now that the
-- records are removed.
ALTER TABLE disposals ADD COLUMN destroyed_after BIGINT;
ALTER TABLE disposals ADD COLUMN lapsed_because TEXT;
UPDATE disposals SET state = 'removed' WHERE state = 'approved';
CREATE INDEX inquiries_by_record ON inquiries (record);
-- The sums over the marks of each table, as the node changed them.
ALTER TABLE ledger_heads ADD COLUMN sealed_sums BYTEA;
-- The marks that the commit of an entry made and took away, sealed: the last entry of each commit commits to them.
ALTER TABLE ledger ADD COLUMN sealed_rows BYTEA;
ALTER TABLE changes ADD COLUMN mark BYTEA;

-- As migration 8 has it, with the sums and with the mark of each message.
DROP FUNCTION append_at_once(
    BIGINT, TEXT, BIGINT, BYTEA, BIGINT, BYTEA, BIGINT,
    BIGINT[], UUID[], TEXT[], TEXT[], UUID[], BYTEA[], BYTEA[], BYTEA[],
    TEXT[], TEXT[], UUID[], UUID[], UUID[], TEXT[], TEXT[], TEXT[], TEXT[]);
CREATE FUNCTION append_at_once(
    known BIGINT, log TEXT, size_before BIGINT, root_before BYTEA, size_after BIGINT, root_after BYTEA, now BIGINT,
    sums BYTEA,
    positions BIGINT[], ids UUID[], organizations TEXT[], owners TEXT[], records UUID[], bodies BYTEA[], notes BYTEA[],
    salts BYTEA[],
    receivers TEXT[], kinds TEXT[], told_records UUID[], subjects UUID[], told_entries UUID[], senders TEXT[],
    officers TEXT[], terminals TEXT[], purposes TEXT[], marks BYTEA[]
) RETURNS TABLE (outcome TEXT, receiver TEXT, latest BIGINT) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS
$$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(8321);
    IF known <> COALESCE((SELECT MAX(c.position) FROM changes c), 0) THEN
        RETURN QUERY SELECT 'behind', NULL::text, NULL::bigint;
        RETURN;
    END IF;
    UPDATE ledger_heads h
    SET size = size_after, root = root_after, at = now, sealed_sums = COALESCE(sums, h.sealed_sums)
    WHERE h.node = log AND h.size = size_before AND h.root = root_before;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'other_writer', NULL::text, NULL::bigint;
        RETURN;
    END IF;
    INSERT INTO ledger (node, position, id, organization, owner, record, body, sealed_note, owner_salt)
    SELECT log, e.* FROM UNNEST(positions, ids, organizations, owners, records, bodies, notes, salts) AS e;
    IF cardinality(receivers) = 0 THEN
        RETURN QUERY SELECT 'written', NULL::text, NULL::bigint;
        RETURN;
    END IF;
    -- In the order of the inboxes: two nodes never wait for each other.
    RETURN QUERY WITH advanced AS (
        INSERT INTO inbox_positions AS p (organization, position)
        SELECT r.organization, COUNT(*) FROM UNNEST(receivers) AS r (organization) GROUP BY 1 ORDER BY 1
        ON CONFLICT (organization) DO UPDATE SET position = p.position + excluded.position
        RETURNING p.organization, p.position
    ), numbered AS (
        SELECT m.*, ROW_NUMBER() OVER (PARTITION BY m.organization ORDER BY m.number DESC) - 1 AS before_last
        FROM UNNEST(receivers, kinds, told_records, subjects, told_entries, senders, officers, terminals, purposes, marks)
            WITH ORDINALITY
            AS m (organization, kind, record, subject, entry, sender, officer, terminal, purpose, mark, number)
    ), delivered AS (
        INSERT INTO inbox (organization, position, at, kind, record, subject, entry, from_organization, from_officer,
            from_terminal, purpose, mark)
        SELECT n.organization, a.position - n.before_last, now, n.kind, n.record, n.subject, n.entry, n.sender,
            n.officer, n.terminal, n.purpose, n.mark
        FROM numbered n JOIN advanced a ON a.organization = n.organization
    )
    SELECT 'written', a.organization, a.position FROM advanced a;
END $$;
