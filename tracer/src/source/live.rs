//! The live capture as a source: reads on a timer, stops on a signal, after a time, or when a command ends.

use std::ffi::OsString;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::Stdio;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{SysconfVar, sysconf};
use tokio::io::unix::AsyncFd;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tracer_common::Event;
use tracer_common::config::Loss;

use super::Source;
use super::blindness::Blindness;
use super::forwarded::Forwarded;
use super::signals::Signals;
use super::timer::Timer;
use crate::bpf::{SharedTracer, Tracer};
use crate::enrichers::Finder;
use crate::notice::notice;

/// How long to sleep while nothing happens: a line then comes within 200 ms still.
const IDLE_SLEEP: Duration = Duration::from_millis(150);
/// How long to sleep while something does, so that a line is on screen within 200 ms.
const BUSY_SLEEP: Duration = Duration::from_millis(50);
/// How long to sleep while much does and there is one processor: what is read at once holds up the packets.
const SINGLE_CPU_SLEEP: Duration = Duration::from_millis(10);
/// So many events in a batch are much: about 0.1 ms of work.
const MAX_UNTICKED_EVENTS: usize = 128;
/// A tick at least so often, for what expires.
const TICK_INTERVAL: Duration = Duration::from_secs(1);
/// How long to go on after the command has ended, for events that are still to come.
const COMMAND_GRACE: Duration = Duration::from_millis(150);
/// How often the kernel's counters of forwarded packets are read while no SYN was seen leaving.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);
/// How often to look whether a module that a hook waits for has been loaded.
const MODULE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub struct Stop {
    signals: Signals,
    /// Other reasons to stop, and how long to linger then.
    reasons: Vec<Pin<Box<dyn Future<Output = Duration>>>>,
}

impl Stop {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { signals: Signals::new()?, reasons: Vec::new() })
    }

    pub fn after(&mut self, duration: Duration) {
        let after = sleep(duration);
        self.reasons.push(Box::pin(async {
            after.await;
            Duration::ZERO
        }));
    }

    /// Also stops when standard input ends. What it has is read and discarded.
    pub fn at_end_of_stdin(&mut self) -> anyhow::Result<()> {
        let (ended, has_ended) = oneshot::channel();
        // A thread of its own: one of the runtime's would be waited for at the end of the capture.
        let read = move || {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            let _ = ended.send(());
        };
        thread::Builder::new().name("stdin".to_owned()).spawn(read).context("cannot watch standard input")?;
        self.reasons.push(Box::pin(async {
            let _ = has_ended.await;
            Duration::ZERO
        }));
        Ok(())
    }

    /// Runs a command and also stops when it ends; it is killed when the capture stops first. What it writes goes to standard
    /// error where standard output has data of ours.
    pub fn with(&mut self, command: &[OsString], is_stdout_ours: bool) -> anyhow::Result<()> {
        let Some((program, args)) = command.split_first() else { return Ok(()) };
        let stdout = if is_stdout_ours { Stdio::from(io::stderr()) } else { Stdio::inherit() };
        let mut command = Command::new(program);
        command.args(args).stdout(stdout).kill_on_drop(true);
        // It ends with this process, however that ends.
        let prepare = || Ok(set_pdeathsig(Signal::SIGKILL)?);
        // SAFETY: a bare system call, so it may be made between fork and exec.
        unsafe { command.pre_exec(prepare) };
        let mut child =
            command.spawn().with_context(|| format!("cannot run {}: is it installed?", program.display()))?;
        self.reasons.push(Box::pin(async move {
            match child.wait().await {
                Ok(status) if status.success() => {}
                Ok(status) => notice(format_args!("the command ended with {status}")),
                Err(error) => notice(format_args!("cannot wait for the command: {error}")),
            }
            COMMAND_GRACE
        }));
        Ok(())
    }

    /// Waits until it is time; returns how long to linger.
    async fn wait(&mut self) -> Duration {
        let reasons = &mut self.reasons;
        let any = poll_fn(|context| {
            let mut polls = reasons.iter_mut().map(|reason| reason.as_mut().poll(context));
            polls.find(Poll::is_ready).unwrap_or(Poll::Pending)
        });
        tokio::select! {
            _ = self.signals.next() => Duration::ZERO,
            linger = any => linger,
        }
    }
}

pub struct Live {
    tracer: SharedTracer,
    ring: AsyncFd<OwnedFd>,
    timer: Timer,
    stop: Stop,
    finder: Finder,
    /// Set once it is time to stop.
    ends: Option<Instant>,
    is_over: bool,
    /// There were events since the last tick, so one has to follow.
    owes_tick: bool,
    /// The last batch had many events.
    was_much: bool,
    /// The reader and the packets share the only processor.
    is_alone: bool,
    /// More events have arrived than were in the last batch.
    has_more: bool,
    last_tick: Instant,
    last_look: Instant,
    last_notice: Instant,
    unnoticed: [u64; Loss::ALL.len()],
    blindness: Blindness,
    forwarded: Option<Forwarded>,
    last_count: Instant,
}

impl Live {
    /// Reads from the kernel until stopped; what `finder` learns meanwhile comes as events too. Says once if packets are forwarded past the
    /// watched interfaces while no SYN is seen leaving.
    pub fn new(tracer: SharedTracer, stop: Stop, finder: Finder, forwarded: Option<Forwarded>) -> anyhow::Result<Self> {
        // SAFETY: it owns the descriptor, open and the same as long as it lives.
        let ring = unsafe { AsyncFd::register(tracer.ring()?) }.context("cannot wait for the ring buffer")?;
        let now = Instant::now();
        Ok(Self {
            tracer,
            ring,
            timer: Timer::new()?,
            stop,
            finder,
            ends: None,
            is_over: false,
            owes_tick: true,
            was_much: false,
            is_alone: sysconf(SysconfVar::_NPROCESSORS_ONLN) == Ok(Some(1)),
            has_more: false,
            last_tick: now,
            last_look: now,
            last_notice: now - TICK_INTERVAL,
            unnoticed: Default::default(),
            blindness: Blindness::default(),
            forwarded,
            last_count: now,
        })
    }

    fn detach(&mut self) {
        if let Err(error) = self.tracer.end() {
            notice(format_args!("{error:#}: `tc filter show` lists what is left, the next start removes it"));
        }
    }

    /// Sleeps until the ring buffer fills, the timer is due, or it is time to stop.
    async fn wait(&mut self) -> anyhow::Result<()> {
        let timer = match () {
            () if self.has_more => Duration::ZERO,
            () if self.was_much && self.is_alone => SINGLE_CPU_SLEEP,
            () if self.owes_tick => BUSY_SLEEP,
            () => IDLE_SLEEP,
        };
        self.timer.set(self.ends.map_or(timer, |ends| timer.min(ends.saturating_duration_since(Instant::now()))))?;
        tokio::select! {
            ready = self.ring.readable() => ready.context("cannot wait for the ring buffer")?.clear_ready(),
            rang = self.timer.ring() => rang?,
            linger = self.stop.wait(), if self.ends.is_none() => self.ends = Some(Instant::now() + linger),
        }
        self.is_over = self.ends.is_some_and(|ends| Instant::now() >= ends);
        Ok(())
    }

    fn drain(&mut self, batch: &mut Vec<(u32, Event)>) -> anyhow::Result<()> {
        let drained_ns = self.tracer.with(|tracer| tracer.drain(&mut |event| batch.push((0, event))))??;
        let is_busy = !batch.is_empty();
        (self.has_more, self.was_much) = (drained_ns.is_none(), batch.len() >= MAX_UNTICKED_EVENTS);
        // Where nothing happens and nothing is waited for, a tick is of no use; where much does, the time comes from events.
        self.owes_tick |= is_busy;
        let since = self.last_tick.elapsed();
        let is_due =
            self.is_over || since >= TICK_INTERVAL || self.owes_tick && (!self.was_much || since >= BUSY_SLEEP);
        if let Some(time_ns) = drained_ns
            && is_due
        {
            // One more has to follow what was read now.
            (self.owes_tick, self.last_tick) = (is_busy, Instant::now());
            let is_last = self.is_over;
            self.tracer.with(|tracer| tracer.tick(time_ns, is_last, &mut |event| batch.push((0, event))))??;
        }
        self.finder.enrich(batch);
        self.notice_losses(batch);
        self.notice_blindness(batch)?;
        self.notice_forwarded()
    }

    /// Says on stderr that packets are forwarded past the watched interfaces.
    fn notice_forwarded(&mut self) -> anyhow::Result<()> {
        if self.blindness.has_seen() {
            self.forwarded = None;
        }
        let Some(forwarded) = self.forwarded.as_mut() else { return Ok(()) };
        if !self.is_over && self.last_count.elapsed() < COUNT_INTERVAL {
            return Ok(());
        }
        self.last_count = Instant::now();
        let words = self.tracer.with(|tracer| forwarded.words(&tracer.interfaces()))?;
        if let Some(words) = words {
            notice(format_args!("{words}"));
            self.forwarded = None;
        }
        Ok(())
    }

    /// Says on stderr that SYNs leave by an interface that is not watched, and has everything read again.
    fn notice_blindness(&mut self, events: &[(u32, Event)]) -> anyhow::Result<()> {
        let is_due = events.iter().fold(false, |is_due, (_, event)| self.blindness.event(event) | is_due);
        if is_due && self.tracer.with(Tracer::read_again)? {
            notice(
                "sockets retransmit their SYN, and no watched interface sees any SYN leave: inside a cluster this is usual, else name the \
                 interface that connections leave through with --iface",
            );
        }
        Ok(())
    }

    /// Says on stderr what was lost, at most once a second.
    fn notice_losses(&mut self, events: &[(u32, Event)]) {
        for (_, event) in events {
            if let Event::Lost(lost) = event {
                self.unnoticed.iter_mut().zip(lost.counts).for_each(|(sum, more)| *sum += more);
            }
        }
        let is_worth_it = |(loss, count): &(Loss, u64)| loss.is_certain() && *count > 0;
        let mut losses = Loss::ALL.into_iter().zip(self.unnoticed).filter(is_worth_it).peekable();
        if losses.peek().is_none() || self.last_notice.elapsed() < TICK_INTERVAL {
            return;
        }
        (self.last_notice, self.unnoticed) = (Instant::now(), Default::default());
        for (loss, count) in losses {
            notice(format_args!("lost {count} events: {}", loss.name()));
        }
    }

    /// Follows the interfaces, and attaches what has waited for a module.
    fn look_again(&mut self) -> anyhow::Result<()> {
        for line in self.tracer.with(Tracer::follow)?? {
            notice(format_args!("{line}"));
        }
        if self.last_look.elapsed() < MODULE_CHECK_INTERVAL {
            return Ok(());
        }
        self.last_look = Instant::now();
        let on = self.tracer.with(|tracer| if tracer.is_waiting() { tracer.retry() } else { Vec::new() })?;
        for stem in on {
            notice(format_args!("{stem} is on: its kernel module has been loaded"));
        }
        Ok(())
    }
}

impl Source for Live {
    type Item = (u32, Event);

    async fn next(&mut self, batch: &mut Vec<(u32, Event)>) -> anyhow::Result<bool> {
        batch.clear();
        while batch.is_empty() {
            if self.is_over && !self.has_more {
                self.detach();
                return Ok(false);
            }
            self.wait().await?;
            self.look_again()?;
            self.drain(batch)?;
        }
        Ok(true)
    }

    fn stop(&mut self) {
        (self.is_over, self.has_more) = (true, false);
        self.detach();
    }
}
