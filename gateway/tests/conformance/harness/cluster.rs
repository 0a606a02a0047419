//! A `PostgreSQL` server of a test's own, which it may stop, freeze and restart.
//!
//! Its programs and its user are those of the server that all tests share, which must run on this
//! machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use super::database::server;

/// A running server. It has no address but a socket in its folder, unless it was given one.
#[derive(Debug)]
pub(crate) struct Cluster {
    programs: &'static Programs,
    folder: TempDir,
}

#[derive(Debug)]
struct Programs {
    folder: PathBuf,
    uid: u32,
    gid: u32,
    /// A cluster that was never started; each server has a copy of it.
    template: PathBuf,
}

/// What the tests' server says about itself.
async fn programs() -> &'static Programs {
    static PROGRAMS: OnceCell<Programs> = OnceCell::const_new();
    PROGRAMS
        .get_or_init(|| async {
            let (client, connection) = tokio_postgres::connect(&server(), NoTls).await.unwrap();
            let driver = tokio::spawn(connection);
            let sql = "SELECT (SELECT setting FROM pg_config WHERE name = 'BINDIR'), \
                       current_setting('data_directory'), current_setting('server_version_num')";
            let row = client.query_one(sql, &[]).await.unwrap();
            let (folder, data, version): (String, String, String) =
                (row.get(0), row.get(1), row.get(2));
            drop(client);
            driver.await.unwrap().unwrap();
            let owner = fs::metadata(data).unwrap();
            Programs::new(folder.into(), &owner, &version)
        })
        .await
}

impl Programs {
    fn new(folder: PathBuf, owner: &fs::Metadata, version: &str) -> Self {
        // Kept for the next run: nothing is dropped at the end of a process.
        let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-{version}"));
        let programs = Self { folder, uid: owner.uid(), gid: owner.gid(), template };
        if !programs.template.exists() {
            programs.make_template();
        }
        programs
    }

    fn make_template(&self) {
        let folder = own_folder(self.uid, self.gid);
        let data = folder.path().join("data");
        let mut initdb = self.command("initdb", folder.path());
        initdb.arg("--pgdata").arg(&data).args(["--username=postgres", "--auth=trust"]);
        run(initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]));
        // Another process may be making it, too: the first one to be ready wins.
        let own = self.template.with_extension(std::process::id().to_string());
        run(Command::new("cp").arg("-a").arg(data).arg(&own));
        if fs::rename(&own, &self.template).is_err() {
            fs::remove_dir_all(&own).unwrap();
        }
    }

    /// A program that runs as the owner of the cluster.
    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(folder);
        // They refuse to run as root, which alone can become someone else.
        if fs::metadata("/proc/self").is_ok_and(|this| this.uid() != self.uid) {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}

/// In `/tmp`, since the path of a socket must be short.
fn own_folder(uid: u32, gid: u32) -> TempDir {
    let permissions = Permissions::from_mode(0o700);
    let mut builder = tempfile::Builder::new();
    let folder = builder.prefix("loggia-").permissions(permissions).tempdir_in("/tmp").unwrap();
    chown(folder.path(), Some(uid), Some(gid)).unwrap();
    folder
}

fn run(command: &mut Command) {
    // A file, and not a pipe: a server that stays would keep a pipe open.
    let output = tempfile::NamedTempFile::new().unwrap();
    let status = command
        .stdin(Stdio::null())
        .stdout(output.reopen().unwrap())
        .stderr(output.reopen().unwrap())
        .status()
        .unwrap();
    assert!(status.success(), "{command:?}: {}", fs::read_to_string(output.path()).unwrap());
}

impl Cluster {
    /// A server with these lines in its configuration, and these files in its folder of data.
    pub(crate) async fn start(settings: &str, files: &[(&str, &str)]) -> Self {
        let programs = programs().await;
        let folder = own_folder(programs.uid, programs.gid);
        let cluster = Self { programs, folder };
        run(Command::new("cp").arg("-a").arg(&programs.template).arg(cluster.data()));
        for (name, text) in files {
            let path = cluster.data().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(programs.uid), Some(programs.gid)).unwrap();
        }
        let folder = cluster.folder.path().display();
        let settings = format!(
            "\nunix_socket_directories = '{folder}'\nlisten_addresses = ''\n{settings}\n\
             shared_buffers = 16MB\nfsync = off\n"
        );
        let path = cluster.data().join("postgresql.conf");
        let written = fs::read_to_string(&path).unwrap() + &settings;
        fs::write(&path, written).unwrap();
        cluster.launch();
        cluster
    }

    /// The URL of its database `postgres`.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}/postgres")
    }

    /// Start it, and wait until it answers.
    pub(crate) fn launch(&self) {
        let log = self.folder.path().join("log");
        run(self.pg_ctl("start").args(["--wait", "--log"]).arg(log));
    }

    /// Stop it without a last checkpoint, as a crash does.
    pub(crate) fn crash(&self) {
        run(self.pg_ctl("stop").args(["--wait", "--mode=immediate"]));
    }

    /// Stop it in order, but for its clients.
    pub(crate) fn stop(&self) {
        run(self.pg_ctl("stop").args(["--wait", "--mode=fast"]));
    }

    /// Send a signal such as STOP to all of its processes.
    pub(crate) fn signal(&self, name: &str) {
        let pids = self.processes().into_iter().map(|pid| pid.to_string());
        // A process that has ended meanwhile needs no signal.
        Command::new("kill")
            .arg(format!("-{name}"))
            .args(pids)
            .stderr(Stdio::null())
            .status()
            .unwrap();
    }

    /// The postmaster and its children.
    fn processes(&self) -> Vec<u32> {
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let postmaster: u32 = pid.lines().next().unwrap().parse().unwrap();
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = fs::read_to_string(children).unwrap();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        std::iter::once(postmaster).chain(children).collect()
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut pg_ctl = self.programs.command("pg_ctl", self.folder.path());
        pg_ctl.arg(what).arg("--pgdata").arg(self.data());
        pg_ctl
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.signal("CONT");
            self.pg_ctl("stop").args(["--mode=immediate"]).stdout(Stdio::null()).status().ok();
        }
    }
}
