//! Connections two at a time, at the same moment: one thread for each of the two, on a CPU each where there are enough.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::truth::{Report, Truth};
use super::{connect, info};
use crate::netns;
use crate::plan::{Chain, Connection, Plan};

/// Time between two pairs, so that one has ended before the next begins.
const PAUSE: Duration = Duration::from_millis(2);
/// How long one of a pair waits for the other; a CPU may be busy with something else.
const MAX_WAIT: Duration = Duration::from_millis(200);

/// Makes the connections of each chain at the same moment.
pub(super) fn run(plan: &Plan, chains: &[Chain], report: Report<'_>) -> Result<()> {
    let arrived = AtomicUsize::new(0);
    let side = |side: usize| {
        let chains = chains.iter().filter_map(move |chain| chain.connections.get(side));
        make_all(chains.collect(), &arrived, plan.give_up())
    };
    let truths = thread::scope(|scope| {
        let other = scope.spawn(|| side(1));
        let mut truths = side(0)?;
        truths.extend(other.join().map_err(|_| anyhow!("the second thread of the traffic panicked"))??);
        Ok::<_, anyhow::Error>(truths)
    })?;
    truths.iter().try_for_each(report)
}

/// Connections of one side, all from one namespace.
fn make_all(connections: Vec<&Connection>, arrived: &AtomicUsize, give_up: Duration) -> Result<Vec<Truth>> {
    let Some(first) = connections.first() else { return Ok(Vec::new()) };
    netns::enter(&first.netns)?;
    let mut begun = Vec::new();
    for (round, connection) in connections.into_iter().enumerate() {
        let socket = connect::open(connection)?;
        meet(arrived, (round + 1) * 2);
        connect::begin(&socket, connection.dst)?;
        begun.push((connection, socket, Instant::now()));
        thread::sleep(PAUSE);
    }
    begun.into_iter().map(|(connection, socket, begin)| finish(connection, socket, begin + give_up)).collect()
}

/// Returns when both sides have arrived, or the other side is late.
fn meet(arrived: &AtomicUsize, both: usize) {
    arrived.fetch_add(1, Ordering::AcqRel);
    let begin = Instant::now();
    while arrived.load(Ordering::Acquire) < both && begin.elapsed() < MAX_WAIT {
        std::hint::spin_loop();
    }
}

fn finish(connection: &Connection, socket: OwnedFd, end: Instant) -> Result<Truth> {
    let stream = TcpStream::from(socket);
    let src = stream.local_addr().context("cannot read the source port")?;
    let mut truth = Truth::new(src, connection.dst, false);
    truth.ok = is_established_by(&stream, end);
    truth.retransmits = info::retransmits(&stream);
    truth.isn = info::isn(&stream);
    Ok(truth)
}

fn is_established_by(stream: &TcpStream, end: Instant) -> bool {
    loop {
        if stream.peer_addr().is_ok() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
