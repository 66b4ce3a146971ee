//! The trace reader through the whole pipeline: all outputs, report, inference, in one thread and in several.

use std::cell::RefCell;
use std::io::{self, Cursor, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;

use anyhow::Result;
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::Value;
use snatrace::model::Filter;
use snatrace::outputs::escape::Escaped;
use snatrace::outputs::{self, Output, View, inference};
use snatrace::pcap::{Opened, PacketOptions, sort};
use snatrace::pipeline::{self, Judge};
use snatrace::report::{self, Report, TallyObserver};
use snatrace::source::{self, Ahead, Joined, Source};
use snatrace::store::{BATCH, Error, ReadReport, Reader};
use snatrace::summary::Summary;
use tracer_common::Event;

use super::unprintable;

/// No panic, no claim that changes with the way of reading, nothing that steers a terminal or a browser.
pub fn check(bytes: &[u8]) {
    // Packet captures, and packed files, are the target `capture`'s: `replay` reads them, a reader of traces does not.
    if !matches!(sort("trace".into(), Box::new(Cursor::new(bytes.to_vec()))), Ok(Opened::Other(..))) {
        return;
    }
    let mut ways = Vec::new();
    for way in [one_thread, threads] {
        let out = Shared::default();
        match way(bytes, &view("json", true), outputs::open(&view("json", true), Box::new(out.clone()))) {
            Ok(_) => {}
            Err(error) => {
                let text = Escaped(&format!("{error:#}")).to_string();
                let begins =
                    ["cannot read ", "failed to continue reading "].iter().any(|start| text.starts_with(start));
                assert!(error.is::<Error>() && begins, "{text}");
            }
        }
        ways.push(out.text());
    }
    assert_eq!(ways[0], ways[1], "one thread, and several");
    for line in ways[0].lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object()), "no JSON: {line}");
    }
    for all in [false, true] {
        let (out, view) = (Shared::default(), view("text", all));
        let _ = one_thread(bytes, &view, outputs::open(&view, Box::new(out.clone())));
        ways.push(out.text());
    }
    if let Ok([text, html, inference]) = reported(bytes) {
        let lower = html.to_lowercase();
        assert!(["<script", "<img", "onerror=", "]]>"].iter().all(|tag| !lower.contains(tag)), "{html}");
        ways.extend([text, html, inference]);
    }
    for text in ways {
        assert_eq!(unprintable(&text), None, "{text}");
    }
}

pub fn view(format: &str, all: bool) -> View {
    let format = outputs::ALL.iter().find(|known| known.name == format).unwrap_or(&outputs::ALL[0]);
    View { format, all, utc: true, ..View::silent(Filter::default()) }
}

/// As a replay without threads.
pub fn one_thread<'a>(bytes: &[u8], view: &View, output: Box<dyn Output + 'a>) -> Result<(Summary, ReadReport)> {
    let reader = reader(bytes)?;
    let judge = Judge::new(vec![reader.capture.clone()], view.clone(), None).with_output(output);
    read(reader, judge)
}

fn reader(bytes: &[u8]) -> Result<Reader> {
    Ok(Reader::new(Path::new("trace"), Box::new(Cursor::new(bytes.to_vec())))?)
}

fn read(reader: Reader, judge: Judge<'_>) -> Result<(Summary, ReadReport)> {
    let mut trace = Trace { reader, is_stopped: false };
    let summary = block_on(pipeline::run(Joined::new(&mut trace, 1, |_, _| Ok(())), judge))?;
    Ok((summary, *trace.reader.blocks.report()))
}

/// As `replay` does.
fn threads<'a>(bytes: &[u8], view: &View, output: Box<dyn Output + 'a>) -> Result<(Summary, ReadReport)> {
    let file = memfd_create("trace", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(bytes)?;
    let traces = source::open(&[format!("/proc/self/fd/{}", file.as_raw_fd()).into()], &PacketOptions::default())?;
    let captures = traces.captures();
    let nodes = captures.len();
    let judge = Judge::new(captures, view.clone(), None).with_output(output);
    let mut updates = Ahead::new(traces)?.joined(nodes)?;
    let summary = block_on(pipeline::run(&mut updates, judge))?;
    Ok((summary, *updates.report()))
}

/// Report as text and as a page, and the inference as JSON.
fn reported(bytes: &[u8]) -> Result<[String; 3]> {
    let reader = reader(bytes)?;
    let captures = [reader.capture.clone()];
    let mut observer = TallyObserver::new(&captures);
    let judge = Judge::new(captures.to_vec(), View::silent(Filter::default()), None).with_observer(&mut observer);
    let (summary, read) = read(reader, judge)?;
    let conclusions = summary.infer.conclusions();
    let report = Report {
        files: &["trace".to_owned()],
        captures: &captures,
        summary: &summary,
        tally: observer.tally(),
        read: &read,
        inference: &conclusions,
        utc: true,
    };
    let out = Shared::default();
    inference::write(&summary, inference::ConclusionFormat::Json, Box::new(out.clone()))?;
    Ok([report::text::render(&report, false)?, report::html::render(&report)?, out.text()])
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().build()?.block_on(future)
}

struct Trace {
    reader: Reader,
    is_stopped: bool,
}

impl Source for Trace {
    type Item = (u32, Event);

    async fn next(&mut self, batch: &mut Vec<(u32, Event)>) -> Result<bool> {
        batch.clear();
        Ok(!self.is_stopped && self.reader.blocks.read(BATCH, 0, batch)?)
    }

    fn stop(&mut self) {
        self.is_stopped = true;
    }
}

/// What was written, seen by both sides.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        let bytes = self.0.borrow();
        let text = str::from_utf8(&bytes);
        assert!(text.is_ok(), "not UTF-8: {bytes:?}");
        text.unwrap_or_default().to_owned()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
