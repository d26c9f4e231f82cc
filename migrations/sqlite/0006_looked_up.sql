-- Who saw one record, among all that its owner's other records were seen.
CREATE INDEX ledger_by_record ON ledger (record, id) WHERE record IS NOT NULL;

-- Outcomes that nobody will ask for again are forgotten, the oldest first.
CREATE INDEX idempotency_by_time ON idempotency (at);
