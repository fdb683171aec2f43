//! A PostgreSQL server for one test, on a Unix socket in a temporary folder; it ends with the test.
//!
//! `initdb` takes seconds, so it runs once, and each test copies its output. PostgreSQL does not run as root, so under root the
//! servers run as the user `nobody`.

use std::{
    env,
    fs::{self, File},
    io::ErrorKind,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// User and group `nobody`, as Debian numbers them.
const NOBODY: u32 = 65_534;
/// Time limit for a server to start or stop on a machine that is busy with other tests.
const SERVER_TIMEOUT: Duration = Duration::from_secs(60);

/// A server with the empty database `plenary`, whose owner `plenary` needs no password.
#[derive(Debug)]
pub struct Postgres {
    /// Holds the cluster, and the socket.
    folder: TempDir,
    server: Option<Child>,
    settings: Vec<String>,
}

impl Postgres {
    /// Starts a server that does not survive a crash of the machine, which is faster.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start; the message says how to install it.
    #[must_use]
    pub fn start() -> Self {
        Self::with_settings(&["fsync=off", "full_page_writes=off"])
    }

    /// Starts a server with these settings, each `name=value`.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn with_settings(settings: &[&str]) -> Self {
        let template = template();
        let folder = tempfile::Builder::new().prefix("plenary-pg-").tempdir().expect("a temporary folder");
        own(folder.path());
        run(Command::new("cp").arg("-a").arg(&template).arg(folder.path().join("data")));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut postgres = Self { folder, server: None, settings };
        postgres.start_again();
        postgres
    }

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://plenary@localhost/plenary?host={}", self.folder.path().display())
    }

    /// Runs statements in its database with `psql`. Returns the output: tuples only, unaligned.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn execute(&self, sql: &str) -> String {
        let mut psql = Command::new(binaries().join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.arg("--host").arg(self.folder.path()).args(["--username=plenary", "--dbname=plenary"]);
        run(psql.arg("--command").arg(sql))
    }

    /// Starts it again after [`Postgres::stop`] or [`Postgres::kill`].
    ///
    /// # Panics
    /// If it is running or does not start.
    pub fn start_again(&mut self) {
        assert!(self.server.is_none(), "it is running");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a file for its log");
        let mut server = unprivileged("postgres", true);
        server.arg("-D").arg(self.folder.path().join("data"));
        server.arg("-k").arg(self.folder.path()).args(["-c", "listen_addresses="]);
        for setting in ["shared_buffers=16MB", "max_connections=60"]
            .into_iter()
            .chain(self.settings.iter().map(String::as_str))
        {
            server.args(["-c", setting]);
        }
        let also_log = log.try_clone().expect("the file twice");
        server.stdin(Stdio::null()).stdout(log).stderr(also_log);
        self.server = Some(server.spawn().expect("setpriv of util-linux starts"));
        self.wait_until("start", || self.is_ready());
    }

    /// Stops it by the fast shutdown: open sessions are ended.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends all its processes at once, as a crash would.
    pub fn kill(&mut self) {
        self.end("QUIT");
    }

    /// Suspends or resumes it, with its sessions: connections stay open, and requests get no answer meanwhile.
    pub fn freeze(&self, is_frozen: bool) {
        let Some(server) = &self.server else { return };
        let signal = if is_frozen { "STOP" } else { "CONT" };
        for pid in family(server.id()) {
            send(pid, signal);
        }
    }

    fn end(&mut self, signal: &str) {
        let Some(mut server) = self.server.take() else { return };
        for pid in family(server.id()) {
            send(pid, "CONT");
        }
        send(server.id(), signal);
        let deadline = Instant::now() + SERVER_TIMEOUT;
        while let Ok(None) = server.try_wait() {
            if Instant::now() > deadline {
                let _ = server.kill();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_ready(&self) -> bool {
        // The socket exists before the server accepts sessions; this file says `ready` only then.
        let state = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        state.lines().nth(7).is_some_and(|line| line.trim() == "ready")
            && UnixStream::connect(self.folder.path().join(".s.PGSQL.5432")).is_ok()
    }

    fn wait_until(&self, what: &str, is_done: impl Fn() -> bool) {
        let deadline = Instant::now() + SERVER_TIMEOUT;
        while !is_done() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("PostgreSQL did not {what}:\n{log}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end("QUIT");
    }
}

/// The folder with the output of `initdb`, which the first test that needs it makes.
fn template() -> PathBuf {
    let binaries = binaries();
    let version = binaries.ancestors().nth(1).and_then(Path::file_name).unwrap_or_default().to_owned();
    // Beside the tests: target/debug/deps/test → target/debug.
    let test = env::current_exe().expect("a test has a path");
    let folder = test.ancestors().nth(2).expect("it is in the build folder").to_owned();
    let template = folder.join(format!("postgres-template-{}", version.display()));
    let lock =
        File::options().create(true).truncate(false).write(true).open(folder.join("postgres-template.lock"));
    let lock = lock.expect("a file in the build folder");
    lock.lock().expect("a lock on that file");
    if template.exists() {
        return template;
    }
    // Made in a folder that the unprivileged user can reach, then moved in one step, so that the template is complete.
    let making = tempfile::Builder::new().prefix("plenary-pg-").tempdir().expect("a temporary folder");
    own(making.path());
    let data = making.path().join("data");
    // ICU gives text the order of a real installation, which is not that of bytes.
    let mut initdb = unprivileged("initdb", false);
    initdb.args(["--no-sync", "--auth=trust", "--username=plenary", "--encoding=UTF8", "--wal-segsize=1"]);
    initdb.arg("--locale=C.UTF-8");
    if version.to_str().and_then(|version| version.parse().ok()).is_some_and(|version: u32| version >= 15) {
        initdb.args(["--locale-provider=icu", "--icu-locale=en-US"]);
    }
    run(initdb.arg("-D").arg(&data));
    let mut create = unprivileged("postgres", false);
    create.args(["--single", "-c", "fsync=off", "-D"]).arg(&data).arg("postgres");
    create.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut create = create.spawn().expect("setpriv of util-linux starts");
    if let Some(stdin) = &mut create.stdin {
        std::io::Write::write_all(stdin, b"CREATE DATABASE plenary\n").expect("it reads");
    }
    drop(create.stdin.take());
    assert!(create.wait().is_ok_and(|status| status.success()), "the database could not be made");
    let half = folder.join("postgres-template.new");
    if let Err(error) = fs::remove_dir_all(&half) {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    run(Command::new("cp").arg("-a").arg(&data).arg(&half));
    fs::rename(&half, &template).expect("renamed");
    template
}

/// The folder of the programs of the newest PostgreSQL that Debian has installed.
fn binaries() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|version| {
            Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("postgres").exists())
        .max();
    newest.map(|(_, folder)| folder).unwrap_or_else(|| {
        panic!(
            "PostgreSQL is missing. `scripts/need test` installs it; without root: apt-get install postgresql"
        )
    })
}

/// A command that runs as a user that PostgreSQL accepts. `is_bound`: it ends when the thread that starts it ends.
fn unprivileged(program: &str, is_bound: bool) -> Command {
    let mut command = Command::new("setpriv");
    if is_bound {
        command.args(["--pdeathsig", "QUIT"]);
    }
    if is_root() {
        command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    }
    command.arg("--").arg(binaries().join(program)).env("LC_ALL", "C.UTF-8").current_dir("/");
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Gives a new folder to the user that runs the server; other users may read it to find the socket.
fn own(folder: &Path) {
    if is_root() {
        chown(folder, Some(NOBODY), Some(NOBODY)).expect("root may change owners");
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
}

/// A process and its children.
fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(pid).chain(children).collect()
}

fn send(pid: u32, signal: &str) {
    // The process may have ended since.
    let _ = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).stderr(Stdio::null()).status();
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {out}{errors}");
    out.trim().to_owned()
}
