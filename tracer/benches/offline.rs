//! The stages of a replay, one by one, so that a regression is seen: `cargo bench --no-default-features -p snatrace`.
//! `cargo xtask bench replay` measures the product as a whole.

#![allow(clippy::unwrap_used, reason = "a measurement, not the product")]

mod synthetic;

use std::hint::black_box;
use std::io;
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use snatrace::causes::{self, Case};
use snatrace::infer::Infer;
use snatrace::join::{Joins, Update, UpdateKind};
use snatrace::model::Attempt;
use snatrace::pcap::PacketOptions;
use snatrace::source;
use snatrace::store::{BATCH, Writer};
use synthetic::{Traffic, capture};
use tracer_common::Event;

/// Twelve seconds of traffic, so that every stage of a connection's life is there.
const EVENTS: usize = 800_000;
const PER_SECOND: u64 = 10_000;

fn events() -> Vec<(u32, Event)> {
    Traffic::at_rate(PER_SECOND).take(EVENTS).map(|event| (0, event)).collect()
}

/// The attempts of these events, as the causes see them when they end.
fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    updates(&mut Joins::new(1), &events(), |(_, update)| {
        if let Update::Attempt { id: _, kind: UpdateKind::Ended, attempt } = update {
            attempts.push(attempt);
        }
    });
    attempts
}

/// Joins the events in batches as they come from a trace, and hands on what follows from them up to the end.
fn updates(join: &mut Joins, events: &[(u32, Event)], mut take: impl FnMut((u32, Update))) {
    let mut updates = Vec::new();
    for batch in events.chunks(BATCH) {
        let mut rest = batch;
        while !rest.is_empty() {
            rest = &rest[join.take(rest, &mut updates)..];
            updates.drain(..).for_each(&mut take);
        }
    }
    loop {
        join.finish(&mut updates);
        if updates.is_empty() {
            return;
        }
        updates.drain(..).for_each(&mut take);
    }
}

fn record(events: &[(u32, Event)]) -> io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("snatrace-bench-{}.trace", std::process::id()));
    let mut writer = Writer::create(&path, &capture()).map_err(io::Error::other)?;
    events.iter().try_for_each(|(_, event)| writer.write(event)).map_err(io::Error::other)?;
    writer.finish().map_err(io::Error::other)?;
    Ok(path)
}

fn decode(criterion: &mut Criterion) {
    let path = record(&events()).unwrap();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(EVENTS as u64)).sample_size(20);
    group.bench_function("events", |bencher| {
        bencher.iter(|| {
            let (mut traces, mut batch) =
                (source::open(std::slice::from_ref(&path), &PacketOptions::default()).unwrap(), Vec::new());
            while traces.next_batch(&mut batch).unwrap() {
                black_box(&batch);
            }
        });
    });
    group.finish();
    std::fs::remove_file(path).unwrap();
}

fn join(criterion: &mut Criterion) {
    let events = events();
    let mut group = criterion.benchmark_group("join");
    group.throughput(Throughput::Elements(EVENTS as u64)).sample_size(20);
    group.bench_function("events", |bencher| {
        bencher.iter_batched_ref(
            || Joins::new(1),
            |join| updates(join, &events, |update| ignore(&update)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn ignore(update: &(u32, Update)) {
    black_box(update);
}

fn judge(criterion: &mut Criterion) {
    let (attempts, capture) = (attempts(), capture());
    let mut group = criterion.benchmark_group("causes");
    group.throughput(Throughput::Elements(attempts.len() as u64));
    group.bench_function("judge", |bencher| {
        bencher.iter(|| {
            for attempt in &attempts {
                let case = Case::new(attempt, &capture);
                black_box((causes::is_flagged(&case), causes::cause_of(&case).id));
            }
        });
    });
    group.finish();
}

fn infer(criterion: &mut Criterion) {
    let attempts = attempts();
    let take = |infer: &mut Infer| attempts.iter().for_each(|attempt| infer.ended(attempt));
    let mut group = criterion.benchmark_group("infer");
    group.throughput(Throughput::Elements(attempts.len() as u64)).sample_size(20);
    group.bench_function("attempts", |bencher| {
        bencher.iter_batched_ref(Infer::default, take, BatchSize::PerIteration);
    });
    group.finish();
    let mut infer = Infer::default();
    take(&mut infer);
    criterion.bench_function("infer/conclusions", |bencher| bencher.iter(|| infer.conclusions()));
}

criterion_group!(benches, decode, join, judge, infer);
criterion_main!(benches);
