# The two commands a newcomer needs: `make demo` and `make test`.
.PHONY: demo test bench crash schemas lint deny needs doc

# Plays the whole story on a gateway of its own; ONCE=1 ends after it.
demo:
	cargo run --release --locked -- demo $(if $(ONCE),--once)

test: needs lint
	scripts/test.sh

# What the tests need from the system's packages.
needs:
	scripts/needs.sh

lint:
	cargo fmt --all -- --check
	cargo clippy --locked --all-targets -- -D warnings

bench:
	cargo bench --locked --bench gateway

# Kills and restarts the gateway N times at random moments under load.
crash:
	KILLS=$(or $(N),50) cargo test --locked --test gateway -- crash:: --nocapture

# Writes schemas/ from the definition of the national format.
schemas:
	cargo run --locked -- schemas schemas

deny:
	cargo deny --all-features check bans licenses sources

doc:
	cargo doc --locked --no-deps
