# The two commands a newcomer needs: `make demo` and `make test`.
.PHONY: demo test browser-test screenshots pages-full bench bench-marks bench-bulk bench-search bench-gateway bench-matching plot-search attack attack-surface soak fuzz crash faults histories tamper-test restore-test ha-test schemas lint deny needs doc

# Plays the whole story on a gateway of its own; ONCE=1 ends after it.
demo:
	cargo build --release --locked
	cargo run --release --locked --package tsunagi -- demo $(if $(ONCE),--once)

test: needs
	scripts/test.sh

# The staff pages in a real browser; ONLY="forgery native" for the files of tests that begin so.
browser-test: needs
	cargo build --locked
	node tests/browser/run.mjs $(ONLY)

# Pictures of the staff pages in docs/screens; ONLY="sign-in today" for those that begin so.
screenshots: needs
	cargo build --locked
	node tests/browser/run.mjs --screens docs/screens $(ONLY)

# Everything on the staff pages: each page in each state and both languages in a browser, and all of the big list of naughty
# strings (fetched from npm) in every field of the form of a record.
pages-full: needs
	npm pack --silent --pack-destination target big-list-of-naughty-strings@1.0.0 >/dev/null
	tar -xzf target/big-list-of-naughty-strings-1.0.0.tgz -C target package/blns.json
	NAUGHTY_STRINGS=$(CURDIR)/target/package/blns.json cargo test --locked --test gateway -- pages_ two_worlds::
	cargo build --locked
	node tests/browser/run.mjs

# What the tests need from the system's packages, and from npm for the browser.
needs:
	scripts/needs.sh

lint:
	cargo fmt --all -- --check
	cargo clippy --locked --all-targets -- -D warnings

# The gateway beside the limits of the machine, with SQLite and with PostgreSQL: a connection for each of a thousand bodies.
bench:
	ulimit -n 4096 || true; cargo bench --locked --bench gateway
	ulimit -n 4096 || true; scripts/with_postgres.sh cargo bench --locked --bench gateway

# Checking the rows of one view, beside one HMAC of as many bytes and beside opening the body.
bench-marks:
	cargo bench --locked --bench marks

# Batches through the API beside COPY, the journal beside single-row commits, on a throwaway PostgreSQL.
bench-bulk:
	RECORDS=$(or $(N),100000) scripts/with_postgres.sh cargo bench --locked --bench bulk

# National search at N records beside PostgreSQL, SQLite and tantivy; needs the programs of PostgreSQL 15.
bench-search:
	cargo run --release --locked -p search-bench -- search $(or $(N),1000000)

# The whole gateway at N records: start, memory, searches over mutual TLS.
bench-gateway:
	cargo run --release --locked -p search-bench -- gateway $(or $(N),1000000)

# Recall and false matches over tests/matching, beside the same; the right record first.
bench-matching:
	cargo run --release --locked -p search-bench -- matching

# Fishing hidden in ordinary searches, and what an officer's allowance extracts.
attack:
	cargo run --release --locked -p search-bench -- attack $(or $(RECORDS),1000000)

# Draws docs/search-by-records.svg.
plot-search:
	cargo run --release --locked -p search-bench -- plot docs/search-by-records.svg

# The index against a plain scan, a million queries.
soak:
	CASES=$(or $(N),1000000) cargo test --release --locked --test search -- --nocapture

# One target of fuzz/fuzz_targets, or each of them; needs a nightly compiler and cargo-fuzz.
fuzz:
	for target in $(or $(TARGET),$(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))); do \
		mkdir -p fuzz/corpus/$$target && \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_len=4096 -max_total_time=$(or $(SECONDS),60) || exit 1; \
	done

# Bad input of every kind at a real gateway, and one table; TWIN=1 plants defects that each source must notice.
attack-surface:
	cargo build --release --locked
	python3 scripts/attack_surface/test_ledger.py
	python3 scripts/attack_surface/run.py $(if $(ONLY),--only $(ONLY)) $(if $(TWIN),--twin)

# The tests of faults and of many writers at once, in full size.
faults: needs
	UPDATES=$(or $(N),5) OVERLOAD_SECONDS=30 cargo test --locked --test gateway -- \
		faults:: concurrency:: edit_lock:: fail_closed:: --nocapture
	GONE_SECONDS=60 scripts/with_postgres.sh cargo test --locked --test gateway -- nodes:: --nocapture

# N histories at two nodes on one database, with kills and broken lines: each must be linearizable, and a planted stale
# read must be caught.
histories: needs
	HISTORIES=$(or $(N),100) scripts/with_postgres.sh cargo test --locked --test gateway -- \
		nodes::histories nodes::a_node_that --nocapture

# Kills the gateway, and PostgreSQL, N times at random moments under load, on both databases.
crash:
	KILLS=$(or $(N),50) cargo test --locked --test gateway -- crash:: --nocapture
	KILLS=$(or $(N),50) scripts/with_postgres.sh cargo test --locked --test gateway -- crash:: --nocapture

# Kills the primary of a PostgreSQL cluster N times under the load of two gateways, and counts what is lost and what left
# without an entry; ARGS as in scripts/ha_test.py, such as ARGS='--load sql'. Needs etcd, HAProxy and Patroni, and installs
# them where it may.
ha-test:
	cargo build --release --locked
	python=$$(scripts/ha_needs.sh) && $$python scripts/ha_test.py --kills $(or $(N),20) $(ARGS)

# Tampers with every row of a log of ROWS entries in every way, SAMPLE of them in a database, and lets the program find it.
# Then N edits of a database by chance, over all its columns, on SQLite and on PostgreSQL: none may change an answer
# unnoticed. Both in memory where there is a place for it: the databases are thrown away.
tamper-test: export TMPDIR := $(or $(wildcard /dev/shm),$(TMPDIR),/tmp)
tamper-test: needs
	ROWS=$(or $(ROWS),10000) SAMPLE=$(or $(SAMPLE),50) cargo test --locked --test gateway -- tamper:: --nocapture
	cargo test --locked --test gateway -- rows::edits::a_column
	EDITS=$(or $(N),10000) cargo test --release --locked --test gateway -- rows::edits::no_edit --nocapture
	EDITS=$(or $(N),10000) scripts/with_postgres.sh cargo test --release --locked --test gateway -- \
		rows::edits::no_edit --nocapture

# Destroys a SQLite and a PostgreSQL under the gateway's load and restores them, N times each; every acknowledged write and
# signed head must be there. ARGS as in scripts/restore_test.py, such as ARGS='--load plain'.
restore-test:
	RESTORES=$(or $(N),20) WRITES=200 cargo test --locked --test gateway -- backup::nothing_acknowledged backup::answering --nocapture
	cargo build --release --locked
	python3 scripts/restore_test.py --rounds $(or $(N),20) $(ARGS)
	@echo "The twins, without the synchronous receiver and without encryption: it must be seen what is lost, and what can be read:"
	python3 scripts/restore_test.py --rounds 1 --megabytes 4 --defect asynchronous $(ARGS)
	python3 scripts/restore_test.py --rounds 1 --megabytes 4 --defect plain $(ARGS)

# Writes schemas/ from the definition of the national format.
schemas:
	cargo run --locked --package tsunagi -- schemas schemas

deny:
	cargo deny --all-features check bans licenses sources

doc:
	cargo doc --locked --no-deps
