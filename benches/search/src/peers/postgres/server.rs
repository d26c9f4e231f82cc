//! A PostgreSQL to be thrown away.
//!
//! Comes in: the programs of the system. Goes out: one connection by unix socket, with `pg_trgm`. Server and data are
//! gone when it is dropped.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sqlx::{
    ConnectOptions, FromRow, PgConnection, Postgres, QueryBuilder,
    postgres::{PgConnectOptions, PgRow, PgSslMode},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::peers::runtime;

/// Every query is planned for its own values: what a plan made for any value costs would be measured otherwise.
const SETTINGS: &str = "
listen_addresses = ''
port = 5432
shared_buffers = 1GB
work_mem = 64MB
maintenance_work_mem = 1GB
effective_cache_size = 2GB
random_page_cost = 1.1
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
jit = off
plan_cache_mode = force_custom_plan
";

pub struct Server {
    connection: PgConnection,
    runtime: Runtime,
    /// Last: it stops the server.
    _programs: Programs,
}

/// The programs, and whom they run as: PostgreSQL refuses to be run by root.
struct Programs {
    binaries: PathBuf,
    user: Option<&'static str>,
    directory: TempDir,
}

impl Server {
    pub fn start() -> Self {
        let programs = Programs::found();
        programs.make();
        let runtime = runtime();
        let connection = runtime.block_on(programs.options().connect()).expect("PostgreSQL answers");
        let mut server = Self { connection, runtime, _programs: programs };
        server.execute("CREATE EXTENSION pg_trgm");
        server
    }

    /// Statements without values.
    pub fn execute(&mut self, sql: &'static str) {
        self.runtime.block_on(sqlx::raw_sql(sql).execute(&mut self.connection)).expect(sql);
    }

    /// Lines in the text format of COPY.
    pub fn copy(&mut self, statement: &str, lines: String) {
        let Self { connection, runtime, .. } = self;
        runtime.block_on(async {
            let mut copy = connection.copy_in_raw(statement).await.expect(statement);
            copy.send(lines.into_bytes()).await.expect(statement);
            copy.finish().await.expect(statement);
        });
    }

    pub fn put(&mut self, mut statement: QueryBuilder<Postgres>) {
        self.runtime.block_on(statement.build().execute(&mut self.connection)).expect("statement");
    }

    pub fn rows<T>(&mut self, mut query: QueryBuilder<Postgres>) -> Vec<T>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let rows = query.build_query_as::<T>().fetch_all(&mut self.connection);
        self.runtime.block_on(rows).expect("query")
    }
}

impl Programs {
    fn found() -> Self {
        let is_root = std::fs::metadata("/proc/self").expect("/proc").uid() == 0;
        let user = is_root.then(|| ["postgres", "nobody"].into_iter().find(|user| exists(user)).expect("a user"));
        let directory = tempfile::tempdir().expect("temporary directory");
        if let Some(user) = user {
            let owned = Command::new("chown").arg(user).arg(directory.path()).status().expect("chown");
            assert!(owned.success(), "chown: {owned}");
        }
        Self { binaries: binaries(), user, directory }
    }

    fn make(&self) {
        let data = self.data();
        let made = self
            .command("initdb")
            .arg("-D")
            .arg(&data)
            // pg_trgm takes letters for letters by the locale: in `C` none of these names has any.
            .args(["-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
            .status()
            .expect("initdb");
        assert!(made.success(), "initdb: {made}");
        let mut settings = OpenOptions::new().append(true).open(data.join("postgresql.conf")).expect("settings");
        writeln!(settings, "{SETTINGS}unix_socket_directories = '{}'", self.directory.path().display())
            .expect("settings");
        let log = self.directory.path().join("log");
        let started = self.pg_ctl().arg("-l").arg(&log).args(["-w", "start"]).status().expect("pg_ctl");
        assert!(started.success(), "PostgreSQL: {}", std::fs::read_to_string(log).unwrap_or_default());
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.directory.path())
            .port(5432)
            .username("bench")
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
            .disable_statement_logging()
    }

    fn pg_ctl(&self) -> Command {
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(self.data()).arg("-s");
        command
    }

    fn command(&self, program: &str) -> Command {
        let path = self.binaries.join(program);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(path);
                command
            }
            None => Command::new(path),
        };
        command.current_dir(self.directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Programs {
    /// What goes wrong here must not hide what went wrong before.
    fn drop(&mut self) {
        let _ = self.pg_ctl().args(["-m", "immediate", "stop"]).status();
    }
}

fn exists(user: &str) -> bool {
    Command::new("id").arg("-u").arg(user).output().is_ok_and(|known| known.status.success())
}

fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let is_whole = |directory: &Path| ["initdb", "pg_ctl", "postgres"].iter().all(|p| directory.join(p).is_file());
    std::env::split_paths(&path)
        .chain(installed.map(|version| version.path().join("bin")))
        .find(|directory| is_whole(directory))
        .expect("PostgreSQL is installed")
}
