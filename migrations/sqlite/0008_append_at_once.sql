-- Nothing to change: SQLite is asked in one string (src/store/append.rs).
SELECT 1;
