//! Real directory trees in the layout of real nodes, and the owners that are found in them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;
use tracer_common::Event;
use tracer_common::events::{Stamp, SynRetransmit, Tick};

use super::{Finder, Host};
use crate::model::{Owner, Owners};

const S: u64 = 1_000_000_000;
const HOST: u32 = 4_026_531_840;
const NETNS: u32 = 4_026_532_300;
const FIRST: &str = "0b6ad3b7-4b63-4e4b-9f42-3a0d0f3a5c11";
const SECOND: &str = "1b6ad3b7-4b63-4e4b-9f42-3a0d0f3a5c11";
const ID: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A node with a host process.
struct Node {
    root: TempDir,
    finder: Finder,
    owners: Owners,
    reported: usize,
}

impl Node {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        begin(root.path(), 1, 0, HOST, "/init.scope");
        let finder = Finder::new(Host::new(root.path()));
        Self { root, finder, owners: Owners::default(), reported: 0 }
    }

    /// A process begins, in hundredths of a second since boot.
    fn begin(&self, process: u32, ticks: u64, netns: u32, cgroup: &str) {
        begin(self.root.path(), process, ticks, netns, cgroup);
    }

    fn end(&self, process: u32) {
        fs::remove_dir_all(self.root.path().join(format!("proc/{process}"))).unwrap();
    }

    fn make(&self, directory: &str) {
        fs::create_dir_all(self.root.path().join(directory)).unwrap();
    }

    /// A socket in the namespace has an event at this time; the owner of attempts of the namespace begun at `first`.
    fn seen(&mut self, netns: u32, now_ns: u64, first_ns: u64) -> Option<String> {
        let stamp = |kind| Stamp { time_ns: now_ns, kind, netns };
        let retransmit = SynRetransmit { stamp: stamp(SynRetransmit::KIND), ..bytemuck::Zeroable::zeroed() };
        let mut batch = vec![(0, retransmit.into()), (0, Tick { stamp: stamp(Tick::KIND) }.into())];
        self.finder.enrich(&mut batch);
        assert!(batch.iter().rev().nth(1).unwrap().1 == retransmit.into(), "owners come before what they are for");
        for (_, event) in &batch {
            if let Event::Owner(owner) = event {
                self.owners.event(owner);
                self.reported += 1;
            }
        }
        self.owners.at(netns, first_ns).map(Owner::text)
    }
}

pub(super) fn begin(root: &Path, process: u32, ticks: u64, netns: u32, cgroup: &str) {
    let directory = root.join(format!("proc/{process}"));
    fs::create_dir_all(directory.join("ns")).unwrap();
    symlink(format!("net:[{netns}]"), directory.join("ns/net")).unwrap();
    fs::write(directory.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
    // A name as bad as a process can make it.
    let fields = format!(") S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0 0\n");
    let stat = [format!("{process} (").as_bytes(), b"a) \xff\n(b", fields.as_bytes()].concat();
    fs::write(directory.join("stat"), stat).unwrap();
}

fn pod(uid: &str) -> String {
    format!("/kubepods/burstable/pod{uid}/{ID}")
}

fn logs(pod: &str, uid: &str, container: &str) -> String {
    format!("var/log/pods/shop_{pod}_{uid}/{container}")
}

/// A node with one container of the pod `web-0`, which began at 10 s.
fn with_pod() -> Node {
    let node = Node::new();
    node.make(&logs("web-0", FIRST, "app"));
    node.begin(70, 1000, NETNS, &pod(FIRST));
    node
}

#[test]
fn a_pod_is_told_once_before_the_first_event_of_its_namespace() {
    let mut node = with_pod();
    node.begin(71, 1100, NETNS, &pod(FIRST));
    for second in 20..90 {
        assert_eq!(node.seen(NETNS, second * S, 11 * S).as_deref(), Some("shop/web-0/app"), "{second}");
    }
    assert_eq!(node.reported, 1);
    assert_eq!(node.seen(NETNS, 90 * S, 9 * S), None, "the container was not there yet");
}

#[test]
fn the_host_and_namespaces_without_a_pod_are_nobodys() {
    let mut node = Node::new();
    node.begin(70, 1000, HOST, &pod(FIRST));
    node.begin(71, 1000, NETNS, "/user.slice/session-1.scope");
    node.make(&logs("web-0", FIRST, "app"));
    assert_eq!(node.seen(HOST, 20 * S, 20 * S), None);
    assert_eq!(node.seen(NETNS, 20 * S, 20 * S), None);
    assert_eq!(node.seen(NETNS + 1, 20 * S, 20 * S), None);
    assert_eq!(node.reported, 0);
}

#[test]
fn the_hosts_namespace_is_nobodys_even_where_its_first_process_cannot_be_read() {
    let mut node = with_pod();
    node.begin(60, 500, NETNS, "/system.slice/sshd.service");
    assert_eq!(node.seen(NETNS, 20 * S, 15 * S), None);
}

#[test]
fn a_tool_that_enters_a_pods_namespace_does_not_make_it_nobodys() {
    let mut node = with_pod();
    node.begin(71, 1500, NETNS, "/user.slice/session-1.scope");
    assert_eq!(node.seen(NETNS, 20 * S, 16 * S).as_deref(), Some("shop/web-0/app"));
}

#[test]
fn a_pod_whose_names_are_nowhere_is_nobody() {
    let mut node = Node::new();
    node.begin(70, 1000, NETNS, &pod(FIRST));
    assert_eq!(node.seen(NETNS, 20 * S, 20 * S), None);
    // Two directories that claim to be its: one of them is wrong.
    node.make(&logs("web-0", FIRST, "app"));
    node.make(&logs("web-1", FIRST, "app"));
    assert_eq!(node.seen(NETNS, 60 * S, 60 * S), None);
}

#[test]
fn two_pods_in_one_namespace_are_nobody() {
    let mut node = Node::new();
    for (process, uid) in [(70, FIRST), (71, SECOND)] {
        node.begin(process, 1000, NETNS, &pod(uid));
        node.make(&logs("web-0", uid, "app"));
    }
    assert_eq!(node.seen(NETNS, 20 * S, 20 * S), None);
}

#[test]
fn a_container_is_named_only_while_the_pod_has_one() {
    let mut node = Node::new();
    node.make(&logs("web-0", FIRST, "init"));
    node.begin(70, 1000, NETNS, &pod(FIRST));
    assert_eq!(node.seen(NETNS, 20 * S, 15 * S).as_deref(), Some("shop/web-0/init"));
    node.make(&logs("web-0", FIRST, "app"));
    assert_eq!(node.seen(NETNS, 22 * S, 21 * S).as_deref(), Some("shop/web-0/"));
    assert_eq!(node.seen(NETNS, 22 * S, 15 * S).as_deref(), Some("shop/web-0/init"), "it began before");
}

#[test]
fn a_namespace_number_that_comes_back_belongs_to_the_new_pod() {
    let mut node = with_pod();
    assert_eq!(node.seen(NETNS, 20 * S, 15 * S).as_deref(), Some("shop/web-0/app"));
    node.end(70);
    node.make(&logs("web-1", SECOND, "app"));
    node.begin(71, 3000, NETNS, &pod(SECOND));
    assert_eq!(node.seen(NETNS, 40 * S, 35 * S).as_deref(), Some("shop/web-1/app"));
    assert_eq!(node.seen(NETNS, 40 * S, 15 * S).as_deref(), Some("shop/web-0/app"), "it began before");
    assert_eq!(node.seen(NETNS, 40 * S, 25 * S), None, "in between it may have been anybody's");
}

#[test]
fn a_process_number_that_comes_back_vouches_for_nobody() {
    let mut node = with_pod();
    assert!(node.seen(NETNS, 20 * S, 15 * S).is_some());
    node.end(70);
    node.begin(70, 3000, NETNS, "/user.slice");
    assert_eq!(node.seen(NETNS, 40 * S, 35 * S), None);
}

#[test]
fn a_pod_that_dies_is_not_known_any_more_but_its_attempts_stay_its() {
    let mut node = with_pod();
    assert!(node.seen(NETNS, 20 * S, 15 * S).is_some());
    node.end(70);
    fs::remove_dir_all(node.root.path().join("var/log/pods")).unwrap();
    assert_eq!(node.seen(NETNS, 22 * S, 15 * S).as_deref(), Some("shop/web-0/app"));
    assert_eq!(node.seen(NETNS, 22 * S, 21 * S), None);
}

#[test]
fn the_same_pod_with_another_oldest_process_is_no_news() {
    let mut node = with_pod();
    node.begin(71, 1100, NETNS, &pod(FIRST));
    assert!(node.seen(NETNS, 20 * S, 15 * S).is_some());
    node.end(70);
    assert!(node.seen(NETNS, 22 * S, 21 * S).is_some());
    assert_eq!(node.reported, 1);
}

#[test]
fn a_container_of_podman_has_its_name_with_every_storage_driver_and_where_it_is_removed_when_it_stops() {
    for list in [
        "overlay-containers/containers.json",
        "overlay-containers/volatile-containers.json",
        "vfs-containers/containers.json",
    ] {
        let mut node = Node::new();
        node.begin(70, 1000, NETNS, &format!("/machine.slice/libpod-{ID}.scope/container"));
        let list = node.root.path().join("var/lib/containers/storage").join(list);
        fs::create_dir_all(list.parent().unwrap()).unwrap();
        fs::write(&list, format!(r#"[{{"id":"{ID}","names":["web"]}}]"#)).unwrap();
        assert_eq!(node.seen(NETNS, 20 * S, 20 * S).as_deref(), Some("//web"), "{}", list.display());
    }
}

#[test]
fn a_container_of_docker_has_the_name_that_docker_gave_it_or_its_short_id() {
    let mut node = Node::new();
    node.begin(70, 1000, NETNS, &format!("/system.slice/docker-{ID}.scope"));
    assert_eq!(node.seen(NETNS, 20 * S, 15 * S).as_deref(), Some("//9f86d081884c"));
    let directory = format!("var/lib/docker/containers/{ID}");
    node.make(&directory);
    fs::write(node.root.path().join(directory).join("config.v2.json"), r#"{"Name":"/web"}"#).unwrap();
    assert_eq!(node.seen(NETNS, 60 * S, 60 * S).as_deref(), Some("//web"));
}

#[test]
fn a_container_that_joins_another_ones_namespace_makes_both_unknown() {
    let mut node = Node::new();
    node.begin(70, 1000, NETNS, &format!("/docker/{ID}"));
    assert!(node.seen(NETNS, 20 * S, 15 * S).is_some());
    node.begin(71, 3000, NETNS, &format!("/docker/{}", ID.replace('9', "8")));
    assert_eq!(node.seen(NETNS, 55 * S, 55 * S), None);
}

#[test]
fn a_new_process_is_found_without_looking_at_all_again() {
    let mut node = Node::new();
    assert_eq!(node.seen(NETNS + 1, 20 * S, 20 * S), None);
    node.make(&logs("web-0", FIRST, "app"));
    node.begin(70, 2010, NETNS, &pod(FIRST));
    assert_eq!(node.seen(NETNS, 20 * S + S / 20, 21 * S), None, "all were looked at 50 ms ago");
    assert!(node.seen(NETNS, 20 * S + S / 5, 21 * S).is_some());
}

#[test]
fn a_namespace_without_processes_is_asked_for_less_and_less_often() {
    let mut node = Node::new();
    assert_eq!(node.seen(NETNS, 20 * S, 20 * S), None);
    node.make(&logs("web-0", FIRST, "app"));
    node.begin(70, 2010, NETNS, &pod(FIRST));
    assert_eq!(node.seen(NETNS, 20 * S + S / 2, 21 * S), None);
    assert!(node.seen(NETNS, 21 * S, 21 * S).is_some());
}

#[test]
fn a_host_whose_processes_cannot_be_seen_is_told_with_what_to_do() {
    let root = TempDir::new().unwrap();
    let off = Finder::new(Host::new(root.path())).off().unwrap();
    assert!(off.contains("/proc/PID/ns/net of other processes cannot be read") && off.contains("--host-root"), "{off}");
    assert_eq!(Node::new().finder.off(), None);
}

#[test]
fn names_that_come_late_are_found() {
    let mut node = Node::new();
    node.begin(70, 1000, NETNS, &pod(FIRST));
    assert_eq!(node.seen(NETNS, 20 * S, 20 * S), None);
    node.make(&logs("web-0", FIRST, "app"));
    assert_eq!(node.seen(NETNS, 21 * S, 20 * S).as_deref(), Some("shop/web-0/app"));
}

#[test]
fn many_namespaces_are_bounded_and_told_again_when_they_were_forgotten() {
    let mut node = with_pod();
    assert!(node.seen(NETNS, 20 * S, 15 * S).is_some());
    for netns in 0..5_000 {
        node.seen(NETNS + 1 + netns, (20 + u64::from(netns)) * S, 0);
    }
    assert!(node.finder.remembered() <= 4096);
    assert!(node.seen(NETNS, 10_000 * S, 15 * S).is_some());
    assert_eq!(node.reported, 2);
}

/// A node whose control groups are mounted, as far as they are named.
fn with_groups(groups: &[&str]) -> Node {
    let node = Node::new();
    groups.iter().for_each(|group| node.make(&format!("sys/fs/cgroup{group}")));
    node
}

#[test]
fn a_group_in_one_that_a_user_owns_names_no_pod() {
    let path = pod(FIRST);
    let delegated = "/system.slice/job.service";
    let mut node = with_groups(&[&path, &format!("{delegated}{path}")]);
    node.make(&logs("web-0", FIRST, "app"));
    node.begin(7, 100, NETNS, &path);
    assert_eq!(node.seen(NETNS, 10 * S, 9 * S).as_deref(), Some("shop/web-0/app"));
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(node.root.path().join(format!("sys/fs/cgroup{delegated}")), Some(1000), None).unwrap();
        node.begin(8, 100, NETNS + 1, &format!("{delegated}{path}"));
        assert_eq!(node.seen(NETNS + 1, 20 * S, 19 * S), None);
    }
    node.begin(9, 100, NETNS + 2, &format!("/user.slice/user-1000.slice/user@1000.service{path}"));
    assert_eq!(node.seen(NETNS + 2, 30 * S, 29 * S), None);
    // The kernel would not name a group that is not there.
    node.begin(10, 100, NETNS + 3, &pod(SECOND));
    assert_eq!(node.seen(NETNS + 3, 40 * S, 39 * S), None);
}

#[test]
fn no_name_below_the_root_of_the_host_leads_outside_of_it() {
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let node = Node::new();
    symlink(outside.path().join("secret"), node.root.path().join("absolute")).unwrap();
    symlink("../".repeat(20) + "etc/passwd", node.root.path().join("relative")).unwrap();
    node.make("etc");
    fs::write(node.root.path().join("etc/passwd"), "of the host").unwrap();
    let host = Host::new(node.root.path());
    assert_eq!(host.text(Path::new("absolute"), 100), None);
    assert_eq!(host.text(Path::new("relative"), 100).as_deref(), Some("of the host"));
}

#[test]
fn what_is_no_file_is_not_opened() {
    let node = Node::new();
    nix::unistd::mkfifo(&node.root.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Opening a FIFO without a writer would wait for one.
    assert_eq!(Host::new(node.root.path()).text(Path::new("fifo"), 100), None);
}
