-- An entry is looked up by a party to it, and those indexes end in its id. The commit of every disclosure paid for this
-- one too.
DROP INDEX ledger_by_id;
