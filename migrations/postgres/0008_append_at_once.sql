-- What only appends, as one question to the server: it is a transaction of its own, and committed when it answers.
-- Volatile, and so every statement in it sees what was committed before that statement, also while it waited for the lock.
-- 'behind': something changed that the asker does not know of; 'other_writer': the log is not where the asker left it. Then
-- nothing is written. Otherwise a row for each inbox that got something, with its latest position, or one without.
CREATE FUNCTION append_at_once(
    known BIGINT, log TEXT, size_before BIGINT, root_before BYTEA, size_after BIGINT, root_after BYTEA, now BIGINT,
    positions BIGINT[], ids UUID[], organizations TEXT[], owners TEXT[], records UUID[], bodies BYTEA[], notes BYTEA[],
    salts BYTEA[],
    receivers TEXT[], kinds TEXT[], told_records UUID[], subjects UUID[], told_entries UUID[], senders TEXT[],
    officers TEXT[], terminals TEXT[], purposes TEXT[]
) RETURNS TABLE (outcome TEXT, receiver TEXT, latest BIGINT) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS
$$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(8321);
    IF known <> COALESCE((SELECT MAX(c.position) FROM changes c), 0) THEN
        RETURN QUERY SELECT 'behind', NULL::text, NULL::bigint;
        RETURN;
    END IF;
    UPDATE ledger_heads h SET size = size_after, root = root_after, at = now
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
        FROM UNNEST(receivers, kinds, told_records, subjects, told_entries, senders, officers, terminals, purposes)
            WITH ORDINALITY
            AS m (organization, kind, record, subject, entry, sender, officer, terminal, purpose, number)
    ), delivered AS (
        INSERT INTO inbox (organization, position, at, kind, record, subject, entry, from_organization, from_officer,
            from_terminal, purpose)
        SELECT n.organization, a.position - n.before_last, now, n.kind, n.record, n.subject, n.entry, n.sender,
            n.officer, n.terminal, n.purpose
        FROM numbered n JOIN advanced a ON a.organization = n.organization
    )
    SELECT 'written', a.organization, a.position FROM advanced a;
END $$;
