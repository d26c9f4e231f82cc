-- Keys of authenticators (WebAuthn), each a second factor beside the codes of a device.
CREATE TABLE passkeys (
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    id BLOB NOT NULL,
    registered_at BIGINT NOT NULL,
    -- When the gateway asked that to which the key answered last: an older question is answered by it no more.
    asked_at BIGINT NOT NULL,
    -- What its person calls it, the public key, and how often the authenticator says that it was used.
    sealed_key BLOB NOT NULL,
    mark BLOB,
    PRIMARY KEY (organization, officer, id)
);
