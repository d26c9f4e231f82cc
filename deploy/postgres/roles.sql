-- The roles of the database `tsunagi`. Run by a superuser in that database, before the first `tsunagi migrate`; may be
-- run again. Under Patroni: on the primary.
--
--   tsunagi_owner       owns the tables and migrates them (`tsunagi migrate`). Nothing serves with it.
--   tsunagi_gateway     what a node may do, table by table: granted by the migrations, no login. It may add to the
--                       ledger and read it; it can neither change, remove nor truncate an entry, nor switch off the trigger
--                       that forbids the first two, for it does not own the table.
--   tsunagi_prefecture  what a reader of one prefecture may see: granted by the migrations, no login.
--   tsunagi_node        the login of the nodes: a member of tsunagi_gateway and nothing else.
--
-- Passwords are set afterwards and stand in no file: \password tsunagi_owner, \password tsunagi_node
DO $$
DECLARE
    wanted RECORD;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('tsunagi_owner', 'LOGIN'),
            ('tsunagi_gateway', 'NOLOGIN'),
            ('tsunagi_prefecture', 'NOLOGIN'),
            ('tsunagi_node', 'LOGIN')
        ) AS roles (name, login)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.login);
        END IF;
        -- Stated again each time: a role that was widened by hand is as it should be afterwards.
        EXECUTE format('ALTER ROLE %I %s NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', wanted.name,
            wanted.login);
    END LOOP;
END $$;
GRANT tsunagi_gateway TO tsunagi_node;

-- Nobody else comes in, and nobody but the owner makes anything.
REVOKE ALL ON DATABASE tsunagi FROM PUBLIC;
GRANT CONNECT ON DATABASE tsunagi TO tsunagi_owner, tsunagi_gateway, tsunagi_prefecture;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO tsunagi_owner;
GRANT USAGE ON SCHEMA public TO tsunagi_gateway, tsunagi_prefecture;

-- A commit is an acknowledgement: whatever the server's default becomes, these roles wait for it.
ALTER ROLE tsunagi_owner SET synchronous_commit = 'on';
ALTER ROLE tsunagi_node SET synchronous_commit = 'on';
