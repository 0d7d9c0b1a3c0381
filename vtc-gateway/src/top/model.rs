//! What is known, and how it is shown.

use std::collections::{HashMap, VecDeque};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::frame::{Frame, Request, User};
use super::sort::Sort;

/// What is known, and how it is shown.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The gateway.
    pub(super) url: String,
    pub(super) link: Link,
    /// The last that was told; kept while the connection is broken.
    pub(super) frame: Option<Frame>,
    /// The last that have ended, the newest first.
    pub(super) requests: Vec<Request>,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) mode: Mode,
    /// Whether what is shown stands still.
    pub(super) is_held: bool,
    /// The first user that is shown, in the order shown.
    pub(super) scroll: usize,
    /// The service of each user of late, the newest at the back.
    trends: HashMap<String, VecDeque<f64>>,
}

/// How the connection stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing has come yet.
    #[default]
    Connecting,
    /// It is told what goes on.
    Live,
    /// It is not, and why.
    Lost(String),
}

/// What keys do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Normal,
    /// They write the filter.
    Search,
    /// The keys are explained.
    Help,
}

/// What happens to it.
#[derive(Debug)]
pub(super) enum Input {
    Key(KeyEvent),
    Frame(Box<Frame>),
    Requests(Vec<Request>),
    Lost(String),
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Quit,
}

/// How many seconds a trend shows.
pub(super) const TREND: usize = 12;
/// How far a page is.
const PAGE: usize = 10;
/// The longest filter.
const LONGEST_FILTER: usize = 64;

// === impl Model ===

impl Model {
    /// Nothing is known yet of that gateway.
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }

    /// Something happens.
    pub(super) fn on(&mut self, input: Input) -> Next {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => return self.key(key),
            Input::Key(_) => {}
            Input::Lost(why) => self.link = Link::Lost(why),
            Input::Frame(frame) => {
                self.link = Link::Live;
                if !self.is_held {
                    self.show(*frame);
                }
            }
            Input::Requests(requests) if !self.is_held => self.requests = requests,
            Input::Requests(_) => {}
        }
        Next::Go
    }

    /// The users that are shown, in that order.
    pub(super) fn users(&self) -> Vec<&User> {
        let filter = self.filter.to_lowercase();
        let all = self.frame.iter().flat_map(|frame| &frame.users);
        let mut users: Vec<_> = all.filter(|user| user.user.to_lowercase().contains(&filter)).collect();
        users.sort_by(|a, b| self.sort.order(a, b));
        users
    }

    /// The service of that user of late.
    pub(super) fn trend(&self, user: &str) -> impl Iterator<Item = f64> {
        self.trends.get(user).into_iter().flatten().copied()
    }

    fn show(&mut self, frame: Frame) {
        if self.frame.as_ref().is_some_and(|last| last.started != frame.started) {
            // Another run: what was before says nothing of it.
            self.trends.clear();
        }
        // Whoever is not told of any more is forgotten.
        let mut before = std::mem::take(&mut self.trends);
        for user in &frame.users {
            let mut trend = before.remove(&user.user).unwrap_or_default();
            trend.push_back(user.service);
            if trend.len() > TREND {
                trend.pop_front();
            }
            self.trends.insert(user.user.clone(), trend);
        }
        self.frame = Some(frame);
        self.stay_inside();
    }

    fn key(&mut self, key: KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Next::Quit } else { Next::Go };
        }
        match self.mode {
            Mode::Search => self.search(key.code),
            // Whatever key it is ends the help; the one that ends everything does that.
            Mode::Help if key.code == KeyCode::Char('q') => return Next::Quit,
            Mode::Help => self.mode = Mode::Normal,
            Mode::Normal => match key.code {
                KeyCode::Char('q') => return Next::Quit,
                KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.mode = Mode::Help,
                KeyCode::Char('/') => self.mode = Mode::Search,
                KeyCode::Char('s') => self.sort = self.sort.next(),
                KeyCode::Char(' ') => self.is_held = !self.is_held,
                KeyCode::Char(digit @ '1'..='7') => {
                    let at = digit as usize - '1' as usize;
                    self.sort = Sort::ALL.get(at).copied().unwrap_or_default();
                }
                KeyCode::Esc => self.filter.clear(),
                KeyCode::Down | KeyCode::Char('j') => self.scroll += 1,
                KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
                KeyCode::PageDown => self.scroll += PAGE,
                KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
                KeyCode::Home | KeyCode::Char('g') => self.scroll = 0,
                KeyCode::End | KeyCode::Char('G') => self.scroll = usize::MAX,
                _ => {}
            },
        }
        self.stay_inside();
        Next::Go
    }

    fn search(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.mode = Mode::Normal,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::Normal;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) if self.filter.len() < LONGEST_FILTER => self.filter.push(letter),
            _ => {}
        }
        self.scroll = 0;
    }

    /// At least one user is in sight, if there is one.
    fn stay_inside(&mut self) {
        self.scroll = self.scroll.min(self.users().len().saturating_sub(1));
    }
}
