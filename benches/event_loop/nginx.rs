//! nginx, in processes of its own: the same files from a server that is not this project's.

use perf_proved::harness::scratch::Scratch;
use perf_proved::proof::cpu::ProcessClock;
use perf_proved::sys::trying;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// nginx while it is running.
pub struct Nginx {
    master: Child,
    address: SocketAddr,
    /// Its configuration, its log and its other files.
    home: Scratch,
    /// The clocks of its processes.
    clocks: Vec<ProcessClock>,
}

/// The names of the program. Debian has it where ordinary users do not search.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// The time within which nginx must answer. A port that is in use makes it try for seconds.
const PATIENCE: Duration = Duration::from_secs(10);

impl Nginx {
    /// Starts nginx on a free port of this machine, to serve the files beneath `root`. Its
    /// processes inherit the cores of the calling thread, and end with it.
    ///
    /// # Errors
    ///
    /// `NotFound` if nginx is not installed; what it complains about, if it does not start.
    pub fn start(root: &Path, workers: usize) -> io::Result<Self> {
        let home = Scratch::new()?;
        // The port is free until here. If another program takes it meanwhile, nginx complains.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let is_root = fs::metadata(home.path())?.uid() == 0;
        let configuration = configuration(root, address, workers, is_root);
        fs::write(home.path().join("nginx.conf"), configuration)?;
        let mut nginx = Self { master: spawn(home.path())?, address, home, clocks: vec![] };
        let deadline = Instant::now() + PATIENCE;
        let processes = loop {
            if nginx.master.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(nginx.complaint());
            }
            let children = children(nginx.master.id())?;
            if children.len() == workers && TcpStream::connect(address).is_ok() {
                break children;
            }
            thread::sleep(Duration::from_millis(1));
        };
        let processes = processes.into_iter().chain([nginx.master.id()]);
        nginx.clocks = processes.map(ProcessClock::of).collect::<io::Result<_>>()?;
        Ok(nginx)
    }

    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the CPU time that its processes have used so far.
    pub fn cpu(&self) -> io::Result<Duration> {
        self.clocks.iter().map(|clock| clock.read()).sum()
    }

    /// Returns what it has written to standard error.
    fn complaint(&self) -> io::Error {
        let said = fs::read_to_string(self.home.path().join(STDERR)).unwrap_or_default();
        // The first lines may be no more than warnings.
        let why = said.lines().find(|line| line.contains("[emerg]")).or(said.lines().last());
        io::Error::other(format!("nginx does not answer: {}", why.unwrap_or("it says nothing")))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SAFETY: no pointers. The process has not been waited for, so the number is its own.
        unsafe { libc::kill(self.master.id() as libc::pid_t, libc::SIGTERM) };
        let _ = self.master.wait(); // only fails for a process that was waited for
    }
}

/// The file that gets its standard error.
const STDERR: &str = "stderr";

fn spawn(home: &Path) -> io::Result<Child> {
    for program in PROGRAMS {
        let mut command = Command::new(program);
        command.arg("-p").arg(home).args(["-c", "nginx.conf"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(home.join(STDERR))?);
        let ends_with_this = || {
            // SAFETY: no pointers.
            match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        // SAFETY: between fork and exec, the child makes one system call.
        unsafe { command.pre_exec(ends_with_this) };
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            started => return trying("starting nginx", started),
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "nginx is not installed"))
}

/// Returns a configuration that needs no rights. `sendfile` and `tcp_nopush` are as in the files
/// that distributions ship, and a connection stays open as long as the client likes.
fn configuration(root: &Path, address: SocketAddr, workers: usize, is_root: bool) -> String {
    // As root, its workers would otherwise become a user that cannot read the files.
    let user = if is_root { "user root;" } else { "" };
    // With one queue for all workers, whichever wakes up first would get most of the clients.
    let reuseport = if workers > 1 { "reuseport" } else { "" };
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {name};\n"))
        .concat();
    let root = root.display();
    format!(
        "daemon off;
{user}
worker_processes {workers};
pid nginx.pid;
error_log error.log;
events {{
    worker_connections 16384;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
{folders}    server {{
        listen {address} backlog=4096 {reuseport};
        root \"{root}\";
    }}
}}
"
    )
}

/// Returns the children of a process.
fn children(id: u32) -> io::Result<Vec<u32>> {
    let path = format!("/proc/{id}/task/{id}/children");
    let list = trying(&path, fs::read_to_string(&path))?;
    list.split_whitespace().map(|id| id.parse().map_err(io::Error::other)).collect()
}
