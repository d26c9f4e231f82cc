-- What a page asks "what waits for us": the few that are open among the many that were.
CREATE INDEX transfers_live_by_owner ON transfers (owner, id)
    WHERE state IN ('requested', 'offered', 'confirmed') OR (state = 'taken_over' AND safety_checked_at IS NULL);
CREATE INDEX transfers_live_by_receiver ON transfers (receiver, id)
    WHERE state IN ('requested', 'offered', 'confirmed') OR (state = 'taken_over' AND safety_checked_at IS NULL);
CREATE INDEX inquiries_by_owner ON inquiries (owner, id);
CREATE INDEX inquiries_by_asker ON inquiries (asker, id);
CREATE INDEX inquiries_open_by_owner ON inquiries (owner, id) WHERE answered_at IS NULL;
CREATE INDEX inquiries_open_by_asker ON inquiries (asker, id) WHERE answered_at IS NULL;
CREATE INDEX break_glass_unreviewed ON break_glass (record) WHERE reviewed_at IS NULL;
CREATE INDEX break_glass_by_organization ON break_glass (organization, until_at);
CREATE INDEX missing_notices_standing ON missing_notices (id) WHERE state <> 'cancel';
CREATE INDEX inbox_alerts ON inbox (organization, position)
    WHERE kind IN ('shield_approached', 'search_many_names', 'search_walk', 'search_at_night', 'search_own_name',
        'search_repeated');

-- What an officer has written and not sent yet, as the form had it. The record is missing where it is to be a new one.
CREATE TABLE drafts (
    id UUID PRIMARY KEY,
    organization TEXT NOT NULL,
    officer TEXT NOT NULL,
    record UUID,
    -- Under which key it is sealed: the prefecture, and the generation of its key.
    prefecture TEXT NOT NULL,
    key_generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    saved_at BIGINT NOT NULL,
    sealed_content BYTEA NOT NULL,
    mark BYTEA
);
CREATE INDEX drafts_by_officer ON drafts (organization, officer, id);
CREATE INDEX drafts_by_time ON drafts (saved_at);
CREATE INDEX drafts_by_key ON drafts (prefecture, key_generation);
