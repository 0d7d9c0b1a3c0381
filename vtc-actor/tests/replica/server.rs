//! A `redis-server` of a test's own.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Client, Connection};
use tempfile::TempDir;

use crate::node::wait_until;

/// A process, which ends with this value.
pub struct Server {
    child: Option<Child>,
    port: u16,
    options: Vec<String>,
    /// By how much its clock is off, in seconds.
    clock: i32,
    folder: TempDir,
}

/// A port that nobody has at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

// === impl Server ===

impl Server {
    /// An empty one.
    pub fn start() -> Self {
        Self::with_options(&[])
    }

    /// An empty one with these options.
    pub fn with_options(options: &[&str]) -> Self {
        Self::with_clock(options, 0)
    }

    /// An empty one with these options, whose clock is so many seconds ahead.
    pub fn with_clock(options: &[&str], clock: i32) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server =
            Self { child: None, port: free_port(), options, clock, folder: tempfile::tempdir().unwrap() };
        server.restart();
        server
    }

    /// Starts it again at the same address, as empty as the first time.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        if self.clock != 0 {
            command.env("LD_PRELOAD", self.other_clock());
        }
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--repl-diskless-sync-delay", "0"]).args(&self.options);
        command.current_dir(self.folder.path()).stdout(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start redis-server ({error}): these tests need it, `apt-get install redis-server`")
        });
        self.child = Some(child);
        wait_until("redis-server takes connections", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// A library that makes a process see the time that this server is to see.
    fn other_clock(&self) -> PathBuf {
        let library = self.folder.path().join("clock.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", &format!("-DSECONDS={}", self.clock), "-o"]).arg(&library);
        compiler.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replica/clock.c"));
        assert!(compiler.status().unwrap().success());
        library
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// At once, as a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// It keeps its connections and does nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Asks it for something, over a connection of its own.
    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.connection()).unwrap()
    }

    fn connection(&self) -> Connection {
        Client::open(self.url()).unwrap().get_connection_with_timeout(Duration::from_secs(10)).unwrap()
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
