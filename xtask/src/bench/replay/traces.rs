//! The traces that are measured over.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::stages::Stages;

pub struct Trace {
    pub name: String,
    pub path: PathBuf,
    pub events: u64,
    pub bytes: u64,
}

impl Trace {
    pub fn bytes_per_event(&self) -> f64 {
        self.bytes as f64 / self.events as f64
    }
}

/// A trace, and the packets of the same connections.
pub struct WithPackets {
    pub trace: Trace,
    pub uplink: PathBuf,
    pub both_sides: PathBuf,
}

pub fn synthetic(stages: &Stages, name: &str, events: u64, open: u64) -> Result<Trace> {
    let path = stages.scratch.join(format!("{name}.trace"));
    make(stages, name, path, events, &["--open".into(), open.to_string().into()])
}

pub fn with_packets(stages: &Stages, events: u64) -> Result<WithPackets> {
    let file = |name: &str| stages.scratch.join(name);
    let (path, uplink, both_sides) = (file("peers.trace"), file("uplink.pcap"), file("both-sides.pcap"));
    let more = ["--uplink".into(), uplink.clone().into(), "--both-sides".into(), both_sides.clone().into()];
    let trace = make(stages, "peers", path, events, &more)?;
    Ok(WithPackets { trace, uplink, both_sides })
}

pub fn recorded(stages: &Stages, path: &Path) -> Result<Trace> {
    let path = fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()))?;
    let bytes = fs::metadata(&path)?.len();
    let told = stages.run([OsString::from("decode"), path.clone().into()])?;
    Ok(Trace { name: "recorded".to_owned(), path, events: number(&told, "events")?, bytes })
}

fn make(stages: &Stages, name: &str, path: PathBuf, events: u64, more: &[OsString]) -> Result<Trace> {
    eprintln!("making {}", path.display());
    let what = ["make".into(), "--events".into(), events.to_string().into(), "--trace".into(), path.clone().into()];
    let told = stages.run(what.iter().chain(more))?;
    Ok(Trace { name: name.to_owned(), path, events: number(&told, "events")?, bytes: number(&told, "bytes")? })
}

fn number(told: &Value, name: &str) -> Result<u64> {
    told[name].as_u64().with_context(|| format!("replay_stages told no {name}"))
}
