-- What a person signs in with at a desk. The second factor is missing for staff of before, until they enrol it.
CREATE TABLE credentials (
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    password_set_at BIGINT NOT NULL,
    sealed_totp BLOB,
    -- The last time step whose code was used.
    totp_step BIGINT NOT NULL,
    issued_by_organization TEXT,
    issued_by TEXT,
    issued_at BIGINT NOT NULL,
    -- Whether it replaced another one.
    reissued BIGINT NOT NULL,
    PRIMARY KEY (organization, officer)
);
INSERT INTO credentials (organization, officer, password_hash, password_set_at, totp_step, issued_at, reissued)
SELECT organization, id, password_hash, 0, 0, 0, 0 FROM staff WHERE password_hash IS NOT NULL AND active = 1;
UPDATE staff SET password_hash = NULL;

-- Digests of codes that stand in for a second factor, once each.
CREATE TABLE recovery_codes (
    digest BLOB PRIMARY KEY,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL
);
CREATE INDEX recovery_codes_by_officer ON recovery_codes (organization, officer);

-- Digests of codes with which a person sets password and second factor, once. Without an officer, a code opens a body.
CREATE TABLE enrolment_codes (
    digest BLOB PRIMARY KEY,
    organization TEXT NOT NULL,
    officer TEXT,
    issued_by_organization TEXT NOT NULL,
    issued_by TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    reissued BIGINT NOT NULL
);
CREATE INDEX enrolment_codes_by_officer ON enrolment_codes (organization, officer);

-- Who asked for a person's roles and who approved them; or the code by which the body was opened.
CREATE TABLE staff_grants (
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    asked_by_organization TEXT,
    asked_by TEXT,
    approved_by_organization TEXT,
    approved_by TEXT,
    opening BLOB,
    -- Roles that come later leave it.
    registered_at BIGINT NOT NULL,
    PRIMARY KEY (organization, officer)
);

-- What a person was called, and since when.
CREATE TABLE staff_names (
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    since BIGINT NOT NULL,
    sealed_name BLOB NOT NULL,
    PRIMARY KEY (organization, officer, since)
);

-- Wrong tries at signing in, by terminal and id.
CREATE TABLE sign_in_locks (
    terminal TEXT NOT NULL,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    failures BIGINT NOT NULL,
    failed_at BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    PRIMARY KEY (terminal, organization, officer)
);

-- A body's own rules of signing in. Days after which a password is renewed; 0 for never.
CREATE TABLE sign_in_policies (
    organization TEXT PRIMARY KEY,
    password_days BIGINT NOT NULL
);

-- Sharp acts that wait for a person, or for a second one. In whose list they stand, and what is asked.
CREATE TABLE waiting_acts (
    id BLOB PRIMARY KEY,
    organization TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_by_organization TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The first of the persons who stand for it.
    first_organization TEXT,
    first_by TEXT,
    first_at BIGINT,
    -- The body that lends the second person.
    helper TEXT,
    decided_by_organization TEXT,
    decided_by TEXT,
    decided_at BIGINT,
    sealed_act BLOB NOT NULL
);
CREATE INDEX waiting_acts_by_organization ON waiting_acts (organization, id);
CREATE INDEX waiting_acts_by_helper ON waiting_acts (helper, id);
CREATE INDEX waiting_acts_by_state ON waiting_acts (state, expires_at);

-- Whether the second factor was shown, and when a session ends unless it is used before.
ALTER TABLE sessions ADD COLUMN second_factor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN idle_at BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET idle_at = expires_at;
