-- A keyed digest of everything that a row decides (docs/decisions/0021-rows-that-decide.md). Rows of before have none until
-- an operator has them authenticated.
ALTER TABLE prefecture_keys ADD COLUMN mark BLOB;
ALTER TABLE organizations ADD COLUMN mark BLOB;
ALTER TABLE terminals ADD COLUMN mark BLOB;
ALTER TABLE staff ADD COLUMN mark BLOB;
ALTER TABLE sessions ADD COLUMN mark BLOB;
ALTER TABLE records ADD COLUMN mark BLOB;
ALTER TABLE record_versions ADD COLUMN mark BLOB;
ALTER TABLE attachments ADD COLUMN mark BLOB;
ALTER TABLE provisions ADD COLUMN mark BLOB;
ALTER TABLE transfers ADD COLUMN mark BLOB;
ALTER TABLE break_glass ADD COLUMN mark BLOB;
ALTER TABLE inquiries ADD COLUMN mark BLOB;
ALTER TABLE serious_reviews ADD COLUMN mark BLOB;
ALTER TABLE missing_notices ADD COLUMN mark BLOB;
ALTER TABLE notice_centers ADD COLUMN mark BLOB;
ALTER TABLE staffing_reports ADD COLUMN mark BLOB;
ALTER TABLE retention_settings ADD COLUMN mark BLOB;
ALTER TABLE disposals ADD COLUMN mark BLOB;
ALTER TABLE disposal_records ADD COLUMN mark BLOB;
ALTER TABLE inbox ADD COLUMN mark BLOB;
ALTER TABLE inbox_acknowledged ADD COLUMN mark BLOB;
ALTER TABLE idempotency ADD COLUMN mark BLOB;
ALTER TABLE edit_locks ADD COLUMN mark BLOB;
ALTER TABLE revocation_lists_seen ADD COLUMN mark BLOB;
ALTER TABLE key_runs ADD COLUMN mark BLOB;
ALTER TABLE rewraps ADD COLUMN mark BLOB;
ALTER TABLE batches ADD COLUMN mark BLOB;
ALTER TABLE credentials ADD COLUMN mark BLOB;
ALTER TABLE recovery_codes ADD COLUMN mark BLOB;
ALTER TABLE enrolment_codes ADD COLUMN mark BLOB;
ALTER TABLE staff_grants ADD COLUMN mark BLOB;
ALTER TABLE staff_names ADD COLUMN mark BLOB;
ALTER TABLE sign_in_locks ADD COLUMN mark BLOB;
ALTER TABLE sign_in_policies ADD COLUMN mark BLOB;
ALTER TABLE waiting_acts ADD COLUMN mark BLOB;
-- The digest of the marks of all that hangs on the row.
ALTER TABLE records ADD COLUMN parts BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE missing_notices ADD COLUMN parts BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE disposals ADD COLUMN parts BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
-- The end of the waiting time as the owner was told, and why a list came to nothing. `approved` meant until now that the
-- records are removed.
ALTER TABLE disposals ADD COLUMN destroyed_after BIGINT;
ALTER TABLE disposals ADD COLUMN lapsed_because TEXT;
UPDATE disposals SET state = 'removed' WHERE state = 'approved';
CREATE INDEX inquiries_by_record ON inquiries (record);
-- The sums over the marks of each table, as the node changed them.
ALTER TABLE ledger_heads ADD COLUMN sealed_sums BLOB;
-- The marks that the commit of an entry made and took away, sealed: the last entry of each commit commits to them.
ALTER TABLE ledger ADD COLUMN sealed_rows BLOB;
