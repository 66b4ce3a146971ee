//! One established connection that carries as much as it can: packets that are no SYN, SYN-ACK or RST.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result};

use super::lab::{Lab, within};

const PORT: u16 = 9900;
/// What fits into a packet: larger writes make few packets, each of which finds the caches emptied by its data.
const SEGMENT: usize = 1400;

/// Runs `measure` while data flows from pod to server.
pub fn during<T>(lab: &Lab, measure: impl FnOnce() -> Result<T>) -> Result<T> {
    let listener = within(&lab.server, || TcpListener::bind(("0.0.0.0", PORT)).context("no listener for bulk data"))?;
    let address = lab.server_address(0);
    let mut stream =
        within(&lab.pod, || TcpStream::connect((address.as_str(), PORT)).context("no connection for bulk data"))?;
    stream.set_nodelay(true)?;
    let (mut sink, _) = listener.accept()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while sink.read(&mut buffer).is_ok_and(|length| length > 0) {}
        });
        scope.spawn(|| {
            let data = [0; SEGMENT];
            while !over.load(Ordering::Relaxed) {
                if stream.write_all(&data).is_err() {
                    break;
                }
            }
            // Whoever reads has seen enough when this fails.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        });
        let result = measure();
        over.store(true, Ordering::Relaxed);
        result
    })
}
