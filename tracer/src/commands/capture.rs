//! A live capture, as `tail` and `record` run it: attach, say what is on, run the pipeline.

#[cfg(not(feature = "ebpf"))]
pub async fn run(
    _options: &crate::model::CaptureOptions,
    _view: Option<crate::outputs::View>,
    _record: Option<&crate::model::RecordOptions>,
    _metrics: crate::metrics::MetricsOptions,
    _observer: Option<&mut dyn crate::outputs::Observer>,
) -> anyhow::Result<crate::summary::Summary> {
    anyhow::bail!("cannot capture: this snatrace was built without the feature `ebpf`: install one that has it")
}

#[cfg(feature = "ebpf")]
pub use live::run;

#[cfg(feature = "ebpf")]
mod live {
    use std::{fs, io};

    use anyhow::{Context, Result};
    use nix::sys::utsname::uname;
    use nix::time::{ClockId, clock_gettime};
    use tracer_common::Event;

    use crate::bpf::{self, SharedTracer, Tracer};
    use crate::commands::machine;
    use crate::commands::status::Status;
    use crate::enrichers::{Finder, Host};
    use crate::metrics::{self, MetricsExporter, Serving};
    use crate::model::{Capture, CaptureOptions, HookState, Policy, RecordOptions, plural};
    use crate::notice::notice;
    use crate::outputs::escape::Escaped;
    use crate::outputs::{self, Observer, View};
    use crate::pipeline::{self, Judge};
    use crate::sandbox::{self, Needs};
    use crate::source::{Forwarded, Joined, Live, Stop, guard};
    use crate::store::{self, Rotation, Writer};
    use crate::summary::Summary;
    use crate::top;

    /// Captures until stopped; shows findings with a view, records with a file.
    pub async fn run(
        options: &CaptureOptions,
        view: Option<View>,
        record: Option<&RecordOptions>,
        metrics: metrics::MetricsOptions,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Summary> {
        let mut stop = Stop::new()?;
        let tracer = SharedTracer::default();
        let leftovers = metrics.leftovers();
        let clean_up = move || {
            leftovers.iter().for_each(|path| drop(fs::remove_file(path)));
            top::force_back();
        };
        let guard = guard::watch(tracer.handle(), clean_up)?;
        let mut metrics = MetricsExporter::start(metrics, &options.netns)?;
        tracer.start(&bpf_options(options))?;
        let capture = tracer.with(|tracer| describe(options, tracer))??;
        let watched = tracer.with(|tracer| tracer.interfaces().join(", "))?;
        // The text says it in its header.
        if view.as_ref().is_none_or(|view| !view.has_text_header()) {
            tell_hooks(&capture.hooks);
        }
        let mut recorder = record.map(|record| create(record, &capture)).transpose()?;
        // A command writes to the same terminal.
        let has_line = observer.is_none() && options.command.is_empty();
        let mut status = if has_line { Status::start() } else { None };
        let stdout = || status.as_ref().map_or_else(|| Box::new(io::stdout()) as Box<dyn io::Write>, Status::stdout);
        let output = view.as_ref().map(|view| outputs::open(view, stdout()));
        let is_shown = view.is_some();
        let is_stdout_ours = is_shown || record.is_some_and(|record| record.file.as_os_str() == store::STDIO);
        let view = view.unwrap_or_else(|| View::silent(options.filter.clone()));
        let mut judge = Judge::new(vec![capture], view, options.count);
        if let Some(output) = output {
            judge = judge.with_output(output);
        }
        let leaves_files = metrics.as_ref().is_some_and(MetricsExporter::leaves_files);
        let serving = metrics.as_mut().and_then(MetricsExporter::serving);
        if let Some(observer) = observer {
            judge = judge.with_observer(observer);
        }
        if let Some(status) = &mut status {
            judge = judge.with_observer(status);
        }
        if let Some(exporter) = &mut metrics {
            judge = judge.with_observer(exporter.observer());
        }

        if let Some(duration) = options.duration {
            stop.after(duration);
        }
        if let Some(file) = &options.ready_file {
            store::open_output(file).with_context(|| format!("cannot create the ready file {}", file.display()))?;
        }
        if !watched.is_empty() {
            notice(format_args!("watching {}", Escaped(&watched)));
        }
        let finder = Finder::new(Host::new(&options.host_root));
        // Asked before there is a child, which may be examined always.
        if let Some(why) = finder.off() {
            notice(format_args!("owner is off: {}", Escaped(&why)));
        }
        stop.with(&options.command, is_stdout_ours)?;
        // A filter hides SYNs that leave.
        let forwarded = Forwarded::open(&options.netns).ok().filter(|_| options.filter.is_empty());
        let needs = Needs {
            admin: !options.netns.is_empty() || tracer.with(|tracer| tracer.is_waiting())?,
            creates_files: leaves_files || record.is_some_and(|record| record.file.as_os_str() != store::STDIO),
            has_command: !options.command.is_empty(),
        };
        // The other threads have what this one has left.
        let left = sandbox::reduce(needs);
        let _ = guard.send(needs);
        notice(format_args!("privileges left: {left}"));
        if options.until_eof {
            stop.at_end_of_stdin()?;
        }
        serving.map(Serving::begin).transpose()?;
        let write = |_, event: &Event| recorder.as_mut().map_or(Ok(()), |recorder| Ok(recorder.write(event)?));
        let updates = Joined::new(Live::new(tracer, stop, finder, forwarded)?, 1, write);
        let summary = pipeline::run(updates.stepwise(options.count.is_some()), judge).await;
        drop(status);
        // A write that failed says itself how much was recorded.
        if let Some(recorder) = recorder.filter(|_| !is_write_failure(&summary)) {
            let written = recorder.finish()?;
            let (events, bytes) = (plural(written.events, "event"), plural(written.bytes, "byte"));
            notice(format_args!("recorded {events} in {bytes}"));
        }
        if let Some(summary) = summary.as_ref().ok().filter(|_| record.is_some() && !is_shown) {
            notice(counts(summary));
        }
        if let Some(summary) = summary.as_ref().ok().filter(|summary| summary.is_blind())
            && let Some(words) = summary.unseen_words()
        {
            notice(format_args!("{} not seen leaving: {words}", plural(summary.unseen, "attempt")));
        }
        summary
    }

    /// What a recording that shows nothing says at its end.
    fn counts(summary: &Summary) -> String {
        let Summary { attempts, retransmitted_attempts: retransmitted, flagged_attempts: flagged, .. } = summary;
        let (attempts, lost) = (plural(*attempts, "attempt"), plural(summary.lost_total(), "event"));
        format!("{attempts}, {retransmitted} retransmitted, {flagged} flagged, {lost} lost: snatrace replay shows them")
    }

    fn is_write_failure(summary: &Result<Summary>) -> bool {
        summary.as_ref().err().is_some_and(anyhow::Error::is::<store::Error>)
    }

    fn create(record: &RecordOptions, capture: &Capture) -> Result<Writer> {
        if record.rotate_bytes.is_none() && record.segment.is_none() {
            return Ok(Writer::create(&record.file, capture)?);
        }
        let segment_ns = record.segment.map(|segment| u64::try_from(segment.as_nanos()).unwrap_or(u64::MAX));
        if record.segment.is_some() {
            for path in store::recover(&record.file) {
                notice(format_args!(
                    "{} was left under a temporary name by a recorder that was killed: renamed",
                    path.display()
                ));
            }
        }
        // A file that alone has all bytes could make no room.
        let max_bytes = record.rotate_bytes.or(record.max_total.map(|max_total| max_total / 4));
        let rotation = Rotation { max_bytes, segment_ns, keep: record.keep_files, max_total: record.max_total };
        Ok(Writer::rotating(&record.file, capture, rotation)?)
    }

    fn bpf_options(options: &CaptureOptions) -> bpf::TracerOptions {
        bpf::TracerOptions {
            netns: options.netns.clone(),
            interfaces: options.interfaces.clone(),
            src: options.filter.src.clone(),
            dst: options.filter.dst.clone(),
            dport: options.filter.dport.clone(),
        }
    }

    fn describe(options: &CaptureOptions, tracer: &Tracer) -> Result<Capture> {
        let kernel = uname().context("cannot read the name of the kernel")?;
        let (wall, boot) = (unix_ns(ClockId::CLOCK_REALTIME)?, unix_ns(ClockId::CLOCK_BOOTTIME)?);
        Ok(Capture {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: options.node.clone().unwrap_or_else(|| kernel.nodename().to_string_lossy().into_owned()),
            kernel: kernel.release().to_string_lossy().into_owned(),
            // Two recordings of one node do not begin in the same nanosecond.
            session: wall.cast_unsigned(),
            part: 0,
            boot_unix_ns: wall - boot,
            utc_offset_s: machine::utc_offset_s(),
            policy: options.policy.over(&Policy::default()),
            hooks: tracer.hooks().to_vec(),
            addresses: tracer.addresses.clone(),
            filter: options.filter.clone(),
            drop_reasons: tracer.drop_reasons.clone(),
            owners: Vec::new(),
            is_of_packets: false,
        })
    }

    fn unix_ns(clock: ClockId) -> Result<i64> {
        let now = clock_gettime(clock).context("cannot read the clock")?;
        Ok(now.tv_sec() * 1_000_000_000 + now.tv_nsec())
    }

    /// Hooks that are off, in plain words; they are in the header of a trace too.
    fn tell_hooks(hooks: &[HookState]) {
        for hook in hooks {
            if let Some(why) = &hook.off {
                notice(format_args!("{} is off: {}", hook.stem, Escaped(why)));
            }
        }
    }
}
