//! Options that several commands share.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ValueHint};
use ipnet::IpNet;
use tracer_common::config::{FILTER_NAMESPACES, FILTER_PREFIXES};

use super::values::{self, Allow, MaxLines, When};
use super::{machine, wrong_usage};
use crate::model::{Capture, CaptureOptions, Filter, Origin, PolicyChange, PortSet};
use crate::outputs::bounded::{Bounds, LineRate};
use crate::outputs::text::Layout;
use crate::outputs::text::columns::{ALL as COLUMNS, TextColumn};
use crate::outputs::{self, Format, View};
use crate::store::Merged;
use crate::{metrics, pcap, sandbox, source};

/// The allowed ports of a live capture.
#[derive(Args, Debug)]
#[command(next_help_heading = "Allowed ports")]
pub struct LivePolicy {
    /// Translated ports on which the filter in front of this node accepts return traffic [default: 32768-65535]
    ///
    /// A range, a comma list (1024-29999,32768-65535), `any`, or `auto` for this node's ip_local_port_range.
    #[arg(long, value_name = "RANGES", env = "SNATRACE_ALLOW", hide_env_values = true, value_parser = values::allow, allow_hyphen_values = true)]
    allow: Option<Allow>,
    /// Translated ports on which the filter accepts IPv6 return traffic; `any` if it ignores IPv6 [default: as --allow]
    #[arg(long, value_name = "RANGES", env = "SNATRACE_ALLOW6", hide_env_values = true, value_parser = values::allow, allow_hyphen_values = true)]
    allow6: Option<Allow>,
}

impl LivePolicy {
    /// What was said; `auto` is read here.
    pub fn change(&self) -> Result<PolicyChange> {
        Ok(PolicyChange {
            allow: self.allow.as_ref().map(Allow::resolve).transpose()?,
            allow6: self.allow6.as_ref().map(Allow::resolve).transpose()?.map(|(ports, _)| ports),
        })
    }
}

/// The allowed ports that traces are judged by: the recorded ones or these, never those in the environment of this machine.
#[derive(Args, Debug)]
pub struct RecordedPolicy {
    /// Judge by these allowed ports instead of the recorded ones: a range, a comma list, or `any`
    #[arg(long, value_name = "RANGES", value_parser = values::ports, allow_hyphen_values = true)]
    allow: Option<PortSet>,
    /// Translated ports on which the filter accepts IPv6 return traffic [default: as --allow]
    #[arg(long, value_name = "RANGES", value_parser = values::ports, allow_hyphen_values = true)]
    allow6: Option<PortSet>,
}

impl RecordedPolicy {
    /// The captures with the policy in force.
    pub fn over(&self, captures: Vec<Capture>) -> Vec<Capture> {
        let allow = self.allow.clone().map(|ports| (ports, Origin::Given));
        let change = PolicyChange { allow, allow6: self.allow6.clone() };
        captures.into_iter().map(|capture| Capture { policy: change.over(&capture.policy), ..capture }).collect()
    }
}

/// What packet captures do not say.
#[derive(Args, Debug)]
pub struct PacketArgs {
    /// Addresses of the captured node, comma-separated, to know which SYNs leave it, and which sources are translated when only one side of NAT was captured [default: inferred from the packets]
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    node_address: Vec<IpAddr>,
}

impl PacketArgs {
    /// Opens traces and packet captures. From here on this process reads nothing else, and writes only below these directories.
    pub fn open(&self, files: &[PathBuf], output_directories: &[&Path]) -> Result<Merged> {
        sandbox::enter(files, output_directories);
        Ok(source::open(files, &pcap::PacketOptions { node: self.node_address.clone() })?)
    }
}

/// How findings are shown.
#[derive(Args, Debug)]
pub struct ViewArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = formats(), default_value = outputs::ALL[0].name)]
    output: &'static Format,
    /// Show every SYN retransmission with cause and evidence, and attempts that failed before any retransmit
    #[arg(long)]
    all: bool,
    /// Show only the header, intervals and the summary
    #[arg(short, long)]
    quiet: bool,
    /// Show only the first retransmit of each attempt, and each change of its cause. `auto` folds the text of `tail` in files and pipes
    #[arg(long, value_name = "WHEN", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "always", default_value_t)]
    fold: When,
    /// Show how each attempt that was shown ended, and after how many retransmits [default: on for the text of `tail`]
    #[arg(long)]
    ends: bool,
    /// Limit the lines per second or minute, and count the lines left out: 100/s, 600/m, or `off` [default: 50/s for the text of `tail`, else off]
    #[arg(long, value_name = "N/s", value_parser = values::line_rate)]
    max_lines: Option<MaxLines>,
    /// Show counts at this interval, such as 60s
    #[arg(long, value_name = "TIME", value_parser = values::duration, allow_hyphen_values = true)]
    interval: Option<Duration>,
    /// Show these columns of text, in this order
    #[arg(long, value_name = "LIST", value_parser = columns(), value_delimiter = ',')]
    columns: Vec<TextColumn>,
    /// Omit the header, titles and headings
    #[arg(long)]
    no_header: bool,
    /// Show times in UTC
    #[arg(long)]
    utc: bool,
    /// Ignored, for users of tcpdump: addresses and ports are always shown as numbers
    #[arg(short = 'n', id = "numeric", action = ArgAction::Count)]
    _numeric: u8,
    /// Exit with 3 if an attempt was flagged
    #[arg(long)]
    pub exit_code: bool,
}

impl ViewArgs {
    /// The view, with colours if standard output wants them.
    pub fn view(&self, filter: Filter) -> View {
        let bounds = Bounds { rate: self.max_lines.and_then(|max| max.0), interval: self.interval };
        let &Self { output: format, all, quiet, ends, utc, .. } = self;
        let (fold, colour) = (self.fold == When::Always, machine::wants_colour());
        let (width, has_header) = (machine::page_width(), !self.no_header);
        let layout = Layout { width, columns: self.columns.clone(), has_header, left_out: None };
        View { format, all, quiet, fold, ends, bounds, utc, colour, layout, filter }
    }

    /// The same of a live capture: text stays short enough to read, and a log short enough to keep, unless asked for otherwise.
    pub fn live_view(&self, filter: Filter) -> View {
        let view = self.view(filter);
        if !view.is_text() {
            return view;
        }
        let folds = self.fold == When::Auto && !io::stdout().is_terminal();
        let rate = self.max_lines.is_none().then_some(LineRate::OF_TAIL);
        const FOLDED: &str =
            "of each attempt the first retransmit, changes of its cause, and its end (--fold=never for all)";
        let folded = folds.then(|| FOLDED.to_owned());
        let limited = rate.map(|of| format!("at most {} lines a second (--max-lines off for all)", of.lines));
        let left_out: Vec<_> = folded.into_iter().chain(limited).collect();
        let left_out = (!left_out.is_empty()).then(|| format!("shown: {}", left_out.join("; ")));
        View {
            fold: view.fold || folds,
            ends: true,
            bounds: Bounds { rate: rate.or(view.bounds.rate), ..view.bounds },
            layout: Layout { left_out, ..view.layout },
            ..view
        }
    }
}

fn columns() -> impl TypedValueParser<Value = TextColumn> {
    let of = |id: String| COLUMNS.iter().find(|(_, column)| column.id == id).map(|(column, _)| *column);
    PossibleValuesParser::new(COLUMNS.iter().map(|(_, column)| column.id)).try_map(move |id| of(id).ok_or("no column"))
}

fn formats() -> impl TypedValueParser<Value = &'static Format> {
    let names = outputs::ALL.iter().map(|format| PossibleValue::new(format.name).help(format.about));
    let of = |name: String| outputs::ALL.iter().find(|format| format.name == name);
    PossibleValuesParser::new(names).try_map(move |name| of(name).ok_or("no format"))
}

/// Which attempts.
#[derive(Args, Debug)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Only connections from these original sources: addresses or prefixes, comma-separated or repeated
    #[arg(long, value_name = "PREFIX", value_parser = values::prefix, value_delimiter = ',')]
    src: Vec<IpNet>,
    /// Only connections to these destinations, before or after NAT
    #[arg(long, value_name = "PREFIX", value_parser = values::prefix, value_delimiter = ',')]
    dst: Vec<IpNet>,
    /// Only connections to these destination ports: 443, 8000-8999, or services such as https
    #[arg(long, value_name = "PORTS", value_parser = values::dport, allow_hyphen_values = true)]
    dport: Option<PortSet>,
    /// Only connections from these pods, comma-separated or repeated; also patterns: checkout-*
    #[arg(long, value_name = "NAME", value_parser = values::name, value_delimiter = ',')]
    pod: Vec<String>,
    /// Only connections from pods in these Kubernetes namespaces
    #[arg(long, value_name = "NAME", value_parser = values::name, value_delimiter = ',')]
    namespace: Vec<String>,
    /// Only connections from these containers, of Docker or in pods
    #[arg(long, value_name = "NAME", value_parser = values::name, value_delimiter = ',')]
    container: Vec<String>,
}

impl FilterArgs {
    /// The filter, if the hooks can hold it.
    pub fn filter(&self) -> Result<Filter> {
        for (option, prefixes) in [("--src", &self.src), ("--dst", &self.dst)] {
            at_most(FILTER_PREFIXES, option, prefixes.len())?;
        }
        Ok(Filter {
            src: self.src.clone(),
            dst: self.dst.clone(),
            dport: self.dport.clone(),
            pod: self.pod.clone(),
            namespace: self.namespace.clone(),
            container: self.container.clone(),
        })
    }
}

/// The name of this node.
#[derive(Args, Debug)]
pub struct NodeArgs {
    /// Name of this node in the output, such as its name in Kubernetes [default: the host name]
    #[arg(long, value_name = "NAME", env = "SNATRACE_NODE", hide_env_values = true, value_parser = values::node)]
    pub node: Option<String>,
}

/// A live capture.
#[derive(Args, Debug)]
#[command(next_help_heading = "Capture")]
pub struct CaptureArgs {
    /// Watch this interface, or `any` for all that lead off this node; repeatable [default: any]
    #[arg(short, long, visible_alias = "interface", value_name = "IF")]
    iface: Vec<String>,
    /// Watch only this network namespace, and the sockets of pods behind it: a name of `ip netns`, or a path such as /proc/PID/ns/net; repeatable
    #[arg(long, value_name = "NETNS", value_parser = values::netns, value_hint = ValueHint::FilePath)]
    netns: Vec<PathBuf>,
    /// Look up pods and containers below this mount of the host's root directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "/")]
    host_root: PathBuf,
    #[command(flatten)]
    node: NodeArgs,
    /// Stop after this time, such as 30s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = values::duration, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Stop after this many findings
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop when standard input ends, as it does when the client of ssh or `kubectl exec -i` is gone
    #[arg(long, conflicts_with = "command")]
    until_eof: bool,
    /// Create this file once all hooks are attached, for scripts that wait for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ready_file: Option<PathBuf>,
    /// Run this command once all hooks are attached, and stop when it ends; its output goes to standard error where findings
    /// or a trace go to standard output
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    #[arg(help_heading = "Arguments")]
    command: Vec<OsString>,
    #[command(flatten)]
    policy: LivePolicy,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    pub metrics: metrics::MetricsOptions,
}

impl CaptureArgs {
    /// The options in plain values.
    pub fn options(&self) -> Result<CaptureOptions> {
        at_most(FILTER_NAMESPACES, "--netns", self.netns.len())?;
        Ok(CaptureOptions {
            policy: self.policy.change()?,
            // As people type it who know tcpdump.
            interfaces: if self.iface.iter().any(|name| name == "any") { Vec::new() } else { self.iface.clone() },
            netns: self.netns.clone(),
            host_root: self.host_root.clone(),
            node: self.node.node.clone(),
            filter: self.filter.filter()?,
            duration: self.duration,
            count: self.count,
            until_eof: self.until_eof,
            ready_file: self.ready_file.clone(),
            command: self.command.clone(),
        })
    }
}

fn at_most(limit: u32, option: &str, given: usize) -> Result<(), clap::Error> {
    if given <= limit as usize {
        return Ok(());
    }
    Err(wrong_usage(format_args!("{option}: {given} values exceed the limit of {limit}")))
}
