//! `vtc-gateway top` in a real terminal, before a real gateway.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::common::binary::Binary;
use crate::common::{Gateway, ask_chat, fast_pod, soon};

/// A terminal of 80 columns and 24 lines, and what runs in it.
pub struct Terminal {
    screen: vt100::Parser,
    bytes: Receiver<Vec<u8>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// Kept open.
    _master: Box<dyn MasterPty + Send>,
}

const SIZE: PtySize = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };

impl Terminal {
    pub fn running(arguments: &[&str]) -> Self {
        let pair = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_vtc-gateway"));
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        let (sender, bytes) = channel();
        let mut reader = pair.master.try_clone_reader().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 14];
            // It fails once nobody has the other side open.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { screen: vt100::Parser::new(SIZE.rows, SIZE.cols, 0), bytes, keys, child, _master: pair.master }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn look(&mut self) -> String {
        while let Ok(bytes) = self.bytes.try_recv() {
            self.screen.process(&bytes);
        }
        self.screen.screen().contents()
    }

    /// The screen, once that is true of it.
    pub async fn until(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let seen = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let seen = self.look();
                if is_it(&seen) {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        seen.unwrap_or_else(|_| panic!("never: {what}\n{}", self.look()))
    }

    /// Waits until it has ended, and how.
    async fn ended(&mut self) -> u32 {
        let status = soon(async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        // The reader ends with the other side.
        while let Ok(bytes) = self.bytes.recv_timeout(Duration::from_secs(1)) {
            self.screen.process(&bytes);
        }
        status.exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
    }
}

#[actix_web::test]
async fn it_shows_who_is_served_and_gives_the_terminal_back() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    gateway.ask(ask_chat().of("alice")).await;
    gateway.ask(ask_chat().of("bob")).await;
    let mut terminal = Terminal::running(&["top", "--gateway", &format!("http://{}", gateway.address)]);
    let seen = terminal
        .until("both users and their requests", |seen| {
            seen.contains("live") && seen.matches("alice").count() == 2 && seen.matches("bob").count() == 2
        })
        .await;
    assert!(seen.contains("Pods") && seen.contains("ready") && seen.contains("settled"), "{seen}");
    assert!(terminal.screen.screen().alternate_screen() && terminal.screen.screen().hide_cursor());
    gateway.ask(ask_chat().of("carol")).await;
    terminal.until("somebody new", |seen| seen.contains("carol")).await;
    terminal.press("/ali\r");
    terminal.until("only alice", |seen| seen.contains("1 of 3") && !seen.contains("bob")).await;
    terminal.press("q");
    assert_eq!(terminal.ended().await, 0);
    let screen = terminal.screen.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor(), "as it was before");
}

#[actix_web::test]
async fn it_comes_back_when_the_gateway_does() {
    let pod = fast_pod("a");
    let setting = format!("a={}", pod.url());
    let serve = |listen: &str| Binary::start(&["serve", "--listen", listen, "--pod", &setting], &[]);
    let mut binary = serve("127.0.0.1:0");
    let gateway = binary.gateway().await;
    let mut terminal = Terminal::running(&["top", "--gateway", &format!("http://{}", gateway.address)]);
    terminal.until("it is live", |seen| seen.contains(" live ")).await;
    binary.terminate().await;
    assert_eq!(binary.exit_code().await, Some(0));
    terminal.until("the gateway is gone", |seen| seen.contains("lost: ")).await;
    let mut again = serve(&gateway.address.to_string());
    again.gateway().await;
    terminal.until("it is live again", |seen| seen.contains(" live ")).await;
    // As a terminal does that is closed.
    terminal.press("\u{3}");
    assert_eq!(terminal.ended().await, 0);
}

#[actix_web::test]
async fn without_a_terminal_or_a_key_it_says_so() {
    let error = Binary::refused(&["top"], &[]).await;
    assert!(error.contains("top needs a terminal"), "{error}");
    let pod = fast_pod("a");
    let gateway = Gateway::administered(&[&pod], "").await;
    let mut terminal = Terminal::running(&["top", "--gateway", &format!("http://{}", gateway.address)]);
    terminal.until("what it lacks", |seen| seen.contains("--admin-key-env")).await;
    assert_eq!(terminal.ended().await, 1);
}
