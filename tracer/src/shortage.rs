//! What there is too little of, by the number with which the kernel says so, and what to do about it.

use std::error::Error;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;
use std::thread;

use anyhow::Context as _;
use nix::errno::Errno;

/// What to do about a resource that is used up; `None` for other errors.
pub fn words(errno: Errno) -> Option<&'static str> {
    const RESOURCES: [(Errno, &str); 3] = [
        (Errno::EMFILE, "too few file descriptors: raise the limit (ulimit -n, LimitNOFILE=)"),
        (Errno::ENFILE, "the system has no file descriptors left: raise fs.file-max"),
        (Errno::ENOMEM, "too little memory: give the container or the machine more"),
    ];
    RESOURCES.iter().find(|(known, _)| *known == errno).map(|(_, why)| *why)
}

/// The same of an error, by itself or by one of those that it comes from.
pub fn of<'a>(causes: impl IntoIterator<Item = &'a (dyn Error + 'static)>) -> Option<&'static str> {
    causes.into_iter().find_map(|cause| {
        let by_io = || cause.downcast_ref::<io::Error>()?.raw_os_error().map(Errno::from_raw);
        words(by_io().or_else(|| cause.downcast_ref::<Errno>().copied())?)
    })
}

/// Whether the process may open the file descriptors and start the threads that the beginning of any command needs: libraries panic where
/// they cannot.
pub fn check() -> anyhow::Result<()> {
    const DESCRIPTORS: usize = 24;
    const THREADS: usize = 6;
    let opened: io::Result<Vec<_>> = (0..DESCRIPTORS).map(|_| UnixDatagram::unbound()).collect();
    opened.context("cannot start")?;
    let gate = Mutex::new(());
    let started: io::Result<Vec<_>> = thread::scope(|scope| {
        // All of them are there until the last one is.
        let _closed = gate.lock();
        let wait = || drop(gate.lock());
        (0..THREADS).map(|_| thread::Builder::new().spawn_scoped(scope, wait).map(drop)).collect()
    });
    started.context("cannot start: too few threads: raise the limit (ulimit -u, TasksMax=, pids.max)").map(drop)
}

#[cfg(test)]
mod tests {
    use anyhow::Error;

    use super::*;

    #[test]
    fn a_shortage_is_found_below_what_failed() {
        let of_error = |error: &Error| of(error.chain());
        let io =
            |errno: Errno| Error::from(io::Error::from_raw_os_error(errno as i32)).context("cannot wait for signals");
        assert!(of_error(&io(Errno::EMFILE)).is_some_and(|words| words.contains("ulimit -n")));
        assert!(of_error(&Error::from(Errno::ENOMEM)).is_some_and(|words| words.contains("too little memory")));
        assert_eq!(of_error(&io(Errno::EPERM)), None);
    }
}
