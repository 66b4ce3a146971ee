//! The terminal, in a thread of its own: reads keys and draws, and asks the capture to end by the signal that ends any.

use std::env;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, write};
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::counts::TopCounts;
use super::screen;
use super::state::ScreenState;
use crate::model::{EndedAttempt, Finding, Judgement};
use crate::outputs::{Moment, Observer};

/// How soon a key is answered.
const KEY_WAIT: Duration = Duration::from_millis(100);
/// How often the screen is drawn while no key is pressed.
const DRAW_EVERY: Duration = Duration::from_millis(500);

/// The terminal is ours.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// Leaves the screen of its own, shows the cursor.
const AS_BEFORE: &[u8] = b"\x1b[?1049l\x1b[?25h";
/// End `top` where no capture does.
const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Counts that the capture fills and the terminal shows.
#[derive(Clone, Debug, Default)]
pub struct SharedCounts(Arc<Mutex<TopCounts>>);

impl SharedCounts {
    fn lock(&self) -> MutexGuard<'_, TopCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for SharedCounts {
    fn judged(&mut self, finding: &Finding<'_>, before: &Judgement) {
        self.lock().judged(finding, before);
    }

    fn ended(&mut self, ended: &EndedAttempt<'_>) -> io::Result<()> {
        self.lock().ended(ended)
    }

    fn tick(&mut self, moment: &Moment<'_>) {
        self.lock().tick(moment);
    }
}

/// The screen. It is as before once this is dropped.
#[derive(Debug)]
pub struct Terminal {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Terminal {
    /// Takes over the terminal. When the user has seen enough, a live capture is ended as by Ctrl-C.
    pub fn start(counts: SharedCounts, is_live: bool) -> anyhow::Result<Self> {
        if env::var_os("TERM").is_some_and(|term| term == "dumb") {
            bail!("this terminal cannot show a screen (TERM=dumb): use `snatrace tail`");
        }
        let mut screen = ratatui::try_init().context("cannot take over the terminal: is standard output one?")?;
        IS_TAKEN.store(true, Ordering::Relaxed);
        let is_over = Arc::new(AtomicBool::new(false));
        let (stopped, signal) = (Arc::clone(&is_over), Arc::new(AtomicUsize::new(0)));
        for each in SIGNALS.into_iter().filter(|_| !is_live) {
            signal_hook::flag::register_usize(each as i32, Arc::clone(&signal), each as usize)
                .and_then(|_| signal_hook::flag::register(each as i32, Arc::clone(&is_over)))
                .context("cannot take over signals")?;
        }
        let show = move || {
            let mut state = ScreenState::default();
            let shown = show(&mut screen, &counts, &mut state, &stopped);
            if IS_TAKEN.swap(false, Ordering::Relaxed) {
                ratatui::restore();
            }
            let signal = i32::try_from(signal.load(Ordering::Relaxed)).unwrap_or_default();
            if signal != 0 {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            if state.is_over && is_live {
                let _ = kill(Pid::this(), Signal::SIGINT);
            }
            shown
        };
        let thread = thread::Builder::new().name("screen".to_owned()).spawn(show).context("cannot start a thread")?;
        Ok(Self { is_over, thread: Some(thread) })
    }

    /// Waits until the user has seen enough.
    pub fn wait(&mut self) {
        self.thread.take().map(JoinHandle::join);
    }
}

/// Gives the terminal back while its thread may be blocked by it, without waiting for anything.
pub fn force_back() {
    if IS_TAKEN.swap(false, Ordering::Relaxed) {
        let _ = ratatui::crossterm::terminal::disable_raw_mode();
        let stdout = io::stdout();
        if poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO) == Ok(1) {
            let _ = write(stdout.as_fd(), AS_BEFORE);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.wait();
    }
}

/// Draws and reads keys until the user or somebody else has seen enough.
fn show(
    screen: &mut ratatui::DefaultTerminal,
    counts: &SharedCounts,
    state: &mut ScreenState,
    stopped: &AtomicBool,
) -> io::Result<()> {
    let mut drawn = None::<Instant>;
    while !state.is_over && !stopped.load(Ordering::Relaxed) {
        if drawn.is_none_or(|at| at.elapsed() >= DRAW_EVERY) {
            let counts = counts.lock();
            screen.draw(|frame| screen::draw(frame, &counts, state))?;
            drawn = Some(Instant::now());
        }
        if event::poll(KEY_WAIT)? {
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                state.key(key);
            }
            drawn = None;
        }
    }
    Ok(())
}
