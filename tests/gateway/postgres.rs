//! An empty database on the throwaway PostgreSQL server whose URL is in `TEST_POSTGRES`; without it, tests use SQLite.
//!
//! `scripts/with_postgres.sh` starts such a server and removes it. No server in use is ever named here.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};
use tsunagi::{clock::unclocked_id, store};

/// The role of a node: a member of `tsunagi_gateway`.
const NODE: &str = "tsunagi_node";
/// Who owns the tables of a database in use.
const OWNER: &str = "tsunagi_owner";
const TEMPLATE: &str = "tsunagi_template";

/// URL of the server, up to the name of a database.
fn server() -> Option<String> {
    std::env::var("TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// A new database with the schema of this program; `None` where tests use SQLite.
pub async fn database() -> Option<String> {
    Some(new_database(&server()?).await)
}

async fn new_database(server: &str) -> String {
    let (admin, name) = (with_template(server).await, new_name());
    create(admin, &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
    as_role(NODE, server, &name)
}

/// A new database made of a plain dump, and brought to the schema of this program by its owner, who is no superuser.
pub async fn restored(dump: &[u8]) -> String {
    let server = server().expect("scripts/with_postgres.sh starts a server");
    // The template brings the roles that the dump names.
    let (admin, name) = (with_template(&server).await, new_name());
    create(admin, &format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")).await;
    let programs = std::env::var("POSTGRES_PROGRAMS").expect("scripts/with_postgres.sh says where they are");
    let mut psql = Command::new(Path::new(&programs).join("psql"));
    psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &format!("{server}/{name}")]);
    let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    psql.stdin.take().unwrap().write_all(dump).await.unwrap();
    assert!(psql.wait().await.unwrap().success(), "the dump is not taken");
    store::open::migrate_postgres(&as_role(OWNER, &server, &name)).await.unwrap();
    as_role(NODE, &server, &name)
}

/// A connection of the server's owner, once there is the template. One test makes it, the others wait for it.
async fn with_template(server: &str) -> PgConnection {
    let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    admin.execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let made: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(TEMPLATE)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    if !made {
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE}_new"))).await.unwrap();
        store::open::migrate_postgres(&format!("{server}/{TEMPLATE}_new")).await.unwrap();
        // As deploy/postgres/roles.sql: nodes sign in under a role that owns nothing.
        for role in [format!("CREATE ROLE {NODE} LOGIN IN ROLE tsunagi_gateway"), format!("CREATE ROLE {OWNER} LOGIN")]
        {
            admin.execute(sqlx::AssertSqlSafe(role)).await.unwrap();
        }
        let rename = format!("ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}");
        admin.execute(sqlx::AssertSqlSafe(rename)).await.unwrap();
    }
    admin
}

/// Makes a database while the template is held.
async fn create(mut admin: PgConnection, statement: &str) {
    admin.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
    admin.execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    admin.close().await.unwrap();
}

fn new_name() -> String {
    format!("test_{}", unclocked_id().simple())
}

/// The URL of a database for a role.
fn as_role(role: &str, server: &str, name: &str) -> String {
    format!("{}/{name}", server.replace("postgres://postgres@", &format!("postgres://{role}@")))
}

/// The URL of a database for its owner, who may do anything.
pub fn for_owner(url: &str) -> String {
    url.replace(NODE, "postgres")
}

/// A PostgreSQL server that a test may kill. It goes with its directory.
pub struct Server {
    directory: TempDir,
    programs: PathBuf,
    running: Option<Child>,
}

impl Server {
    /// A new server; `None` where tests use SQLite.
    pub async fn of_its_own() -> Option<Self> {
        server()?;
        let programs = std::env::var("POSTGRES_PROGRAMS").expect("scripts/with_postgres.sh says where they are");
        let directory = tempfile::tempdir().unwrap();
        let mut server = Self { directory, programs: programs.into(), running: None };
        let data = server.data();
        std::fs::create_dir(&data).unwrap();
        let owned = Command::new("chown").arg("-R").arg("postgres").arg(server.directory.path()).status().await;
        assert!(!is_root() || owned.unwrap().success());
        let made = server.program("initdb").args(["-U", "postgres", "-A", "trust", "-D"]).arg(&data).output().await;
        assert!(made.unwrap().status.success());
        server.start().await;
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        // The server refuses to run as root.
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn url(&self) -> String {
        format!("postgres://postgres@{}", self.directory.path().display().to_string().replace('/', "%2F"))
    }

    pub async fn new_database(&self) -> String {
        new_database(&self.url()).await
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The whole database as its owner dumps it.
    pub async fn dump(&self, url: &str) -> Vec<u8> {
        let name = url.rsplit('/').next().unwrap();
        let mut dump = self.program("pg_dump");
        dump.args(["-U", "postgres", "-h"]).arg(self.directory()).arg(name).stdout(Stdio::piped());
        let dump = dump.output().await.unwrap();
        assert!(dump.status.success());
        dump.stdout
    }

    /// Starts it, and waits until it has recovered.
    pub async fn start(&mut self) {
        let sockets = format!("unix_socket_directories={}", self.directory.path().display());
        let patience = std::time::Instant::now();
        while PgConnection::connect(&format!("{}/postgres", self.url())).await.is_err() {
            // It ends where a process by chance has the number of the one that was killed: the locks are nobody's.
            if self.running.as_mut().is_none_or(|running| running.try_wait().unwrap().is_some()) {
                let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
                let _ = std::fs::remove_file(self.directory.path().join(".s.PGSQL.5432.lock"));
                let mut command = self.program("postgres");
                command.arg("-D").arg(self.data()).args(["-c", "listen_addresses=", "-c", &sockets]);
                self.running = Some(command.kill_on_drop(true).spawn().unwrap());
            }
            assert!(patience.elapsed() < Duration::from_secs(60), "the server does not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills every process of it at once, and waits until they are gone.
    pub async fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        kill_all(&self.data());
        running.wait().await.unwrap();
    }
}

/// The processes of a server: each of its backends is a group of its own.
fn kill_all(data: &Path) {
    let Ok(pids) = std::fs::read_to_string(data.join("postmaster.pid")) else { return };
    let postmaster = pids.lines().next().unwrap_or_default().to_owned();
    // Held first: while it stands still it has no new children.
    let _ = std::process::Command::new("kill").args(["-STOP", &postmaster]).status();
    let children = std::process::Command::new("pgrep").args(["-P", &postmaster]).output().unwrap().stdout;
    let children = String::from_utf8(children).unwrap();
    let _ = std::process::Command::new("kill").arg("-9").arg(&postmaster).args(children.split_whitespace()).status();
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.is_some() {
            kill_all(&self.data());
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0)
}
