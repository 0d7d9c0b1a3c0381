//! The gateway as a process.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::gateway::Gateway;
use super::soon;

/// A process that runs until it is told to end. Dropping it kills it.
pub struct Binary {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

// === impl Binary ===

impl Binary {
    /// Starts the gateway's binary with these arguments, and these variables for its whole environment.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(arguments, environment);
        let mut child = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output }
    }

    /// Starts it, and returns its log besides.
    pub fn logging(arguments: &[&str]) -> (Self, Lines<BufReader<ChildStderr>>) {
        Self::log(command(arguments, &[]))
    }

    /// The same, and it logs what that value of `RUST_LOG` says.
    pub fn logging_at(levels: &str, arguments: &[&str]) -> (Self, Lines<BufReader<ChildStderr>>) {
        Self::log(command(arguments, &[("RUST_LOG", levels)]))
    }

    fn log(mut command: Command) -> (Self, Lines<BufReader<ChildStderr>>) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        (Self { child, output }, log)
    }

    /// Starts it, and reads what is wrong, since it does not go on.
    pub async fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = soon(command(arguments, environment).output()).await.unwrap();
        assert!(!output.status.success(), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The next line that it prints; nothing when it has ended.
    pub async fn line(&mut self) -> Option<String> {
        soon(self.output.next_line()).await.unwrap()
    }

    /// Where it says that it listens.
    pub async fn gateway(&mut self) -> Gateway {
        let line = self.line().await.expect("it ended at once");
        Gateway::at(line.strip_prefix("listening on http://").unwrap().parse().unwrap())
    }

    /// Sends it SIGTERM.
    pub async fn terminate(&self) {
        self.signal("-TERM").await;
    }

    /// Sends it SIGINT.
    pub async fn interrupt(&self) {
        self.signal("-INT").await;
    }

    /// Sends it SIGHUP.
    pub async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = soon(Command::new("kill").args([signal, &id]).status()).await.unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub async fn exit_code(mut self) -> Option<i32> {
        soon(self.child.wait()).await.unwrap().code()
    }
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vtc-gateway"));
    command.args(arguments).env_clear().envs(environment.iter().copied()).kill_on_drop(true);
    command.stdin(Stdio::null());
    command
}
