//! What a file holds, by its first bytes: a packet capture, as it is or packed with gzip or zstd, or something else.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::store::{self, Error};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// First bytes of pcap in microseconds, nanoseconds and Kuznetzov's variant, in either byte order, and of pcapng.
const CAPTURES: [[u8; 4]; 6] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x34, 0xcd, 0xb2, 0xa1],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// A packed file may become so many times its size, which no gzip file does, and so much at least.
const MAX_EXPANSION: u64 = 1100;
const MIN_UNPACKED: u64 = 64 << 20;
/// Memory that unpacking zstd takes, as a power of two: as much as its own command takes by default.
const WINDOW_LOG: u32 = 27;

type Bytes = Box<dyn Read + Send>;

pub enum Opened {
    Packets(UnpackedFile),
    /// Something else, by its name in messages, and from its first byte on.
    Other(PathBuf, Bytes),
}

pub struct UnpackedFile {
    pub name: PathBuf,
    pub bytes: Bytes,
    /// Bytes of the file that were read.
    pub position: Arc<AtomicU64>,
    /// It was packed, and unpacking failed before the end.
    pub is_cut: Arc<AtomicBool>,
}

/// Opens a file, or standard input for `-`. Without `keep_open` a regular file is open only while it is read.
pub fn open(path: &Path, keep_open: bool) -> Result<Opened, Error> {
    let (name, source) = store::open(path)?;
    if keep_open || !path.is_file() {
        return sort(name, source);
    }
    drop(source);
    sort(name, Box::new(Reopened { path: path.to_owned(), at: 0, inode: None }))
}

/// Finds out what these bytes are; `name` is their name in messages.
pub fn sort(name: PathBuf, source: Bytes) -> Result<Opened, Error> {
    let failed = |reason| Error::Read { path: name.clone(), reason };
    let (position, is_cut) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let counted = Box::new(Counted { source, position: Arc::clone(&position) });
    let (start, bytes) = peek(counted).map_err(failed)?;
    let is_packed = start.starts_with(&GZIP) || start.starts_with(&ZSTD);
    let (start, bytes) = if is_packed {
        let decoder: Bytes = match start.starts_with(&GZIP) {
            true => Box::new(MultiGzDecoder::new(bytes)),
            false => {
                let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(failed)?;
                decoder.window_log_max(WINDOW_LOG).map_err(failed)?;
                Box::new(decoder)
            }
        };
        let (position, is_cut) = (Arc::clone(&position), Arc::clone(&is_cut));
        peek(Box::new(Decompressed { decoder, packed: position, unpacked: 0, is_cut })).map_err(failed)?
    } else {
        (start, bytes)
    };
    let is_capture = CAPTURES.iter().any(|magic| start.starts_with(magic));
    match (is_capture, is_packed) {
        (true, _) => Ok(Opened::Packets(UnpackedFile { name, bytes, position, is_cut })),
        (false, false) => Ok(Opened::Other(name, bytes)),
        (false, true) if start.is_empty() => Err(Error::NotATrace {
            path: name,
            what: "a packed file that is damaged, or takes more than 128 MiB to unpack",
        }),
        (false, true) => Err(Error::NotATrace { path: name, what: "a packed file without a packet capture in it" }),
    }
}

/// The first four bytes, or as many as there are, and all bytes.
fn peek(mut bytes: Bytes) -> io::Result<(Vec<u8>, Bytes)> {
    let mut start = Vec::new();
    bytes.by_ref().take(4).read_to_end(&mut start)?;
    Ok((start.clone(), Box::new(Cursor::new(start).chain(bytes))))
}

/// A file that is open only while it is read: hundreds would be more than a process may open.
struct Reopened {
    path: PathBuf,
    at: u64,
    /// Of the file that was opened first
    inode: Option<(u64, u64)>,
}

impl Read for Reopened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = File::open(&self.path)?;
        let of = file.metadata()?;
        if *self.inode.get_or_insert((of.dev(), of.ino())) != (of.dev(), of.ino()) {
            return Err(io::Error::other("another file took its place while it was read"));
        }
        let read = file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

struct Counted {
    source: Bytes,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What a packed file holds: one that was cut or damaged ends there.
struct Decompressed {
    decoder: Bytes,
    /// Bytes of the file that were read
    packed: Arc<AtomicU64>,
    unpacked: u64,
    is_cut: Arc<AtomicBool>,
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = MIN_UNPACKED.max(self.packed.load(Ordering::Relaxed).saturating_mul(MAX_EXPANSION));
        if self.unpacked > limit {
            return Err(io::Error::other(format!("it unpacks to more than {MAX_EXPANSION} times its size")));
        }
        match self.decoder.read(buffer) {
            // An error of the operating system is one of reading.
            Err(error) if error.raw_os_error().is_none() && error.kind() != io::ErrorKind::Interrupted => {
                self.is_cut.store(true, Ordering::Relaxed);
                Ok(0)
            }
            Ok(read) => {
                self.unpacked += read as u64;
                Ok(read)
            }
            Err(error) => Err(error),
        }
    }
}
