//! Which pod or container a process is in, from the text of its `/proc/PID/cgroup`. Pure.
//!
//! Knows both cgroup versions and both ways to name groups: `kubepods/burstable/podUID/ID` and
//! `kubepods-burstable-podUID.slice/cri-containerd-ID.scope`, with any runtime's prefix and below any other group. A reader
//! in a cgroup namespace of its own sees paths that begin with `/../`; that is fine.

use std::collections::BTreeSet;

/// Where a process is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CgroupOwner {
    /// In the pod with this UID, as Kubernetes writes it.
    Pod(String),
    /// In the container with this id, which is no pod's.
    Container(String),
}

/// The one place that all hierarchies agree on; those that know none do not count, nor do groups that are made in one where
/// others than the system may make some: `is_system` gets the hierarchy's name and the path of that group.
pub(super) fn place(text: &str, is_system: impl Fn(&str, &str) -> bool) -> Option<CgroupOwner> {
    let groups = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let trusted = |(hierarchy, path)| {
        let (place, parent) = place_of(path)?;
        is_system(hierarchy, parent).then_some(place)
    };
    let mut places: BTreeSet<CgroupOwner> = groups.filter_map(trusted).collect();
    let first = places.pop_first();
    first.filter(|_| places.is_empty())
}

/// A place, and the path of the group that its group is in.
fn place_of(path: &str) -> Option<(CgroupOwner, &str)> {
    let parent = |at: usize| &path[..path[..at].rfind('/').unwrap_or(0)];
    if let Some((at, uid)) = parts(path).find_map(|(at, part)| Some((at, pod_uid(part)?))) {
        return Some((CgroupOwner::Pod(uid), parent(at)));
    }
    // The innermost one, for containers can hold others.
    let (at, id) = parts(path).filter_map(|(at, part)| Some((at, container_id(part)?))).last()?;
    Some((CgroupOwner::Container(id.to_owned()), parent(at)))
}

/// The parts of a path and where they begin. `SLICE:PREFIX:ID` is what a runtime makes of a systemd path that it takes for a
/// plain one.
fn parts(path: &str) -> impl Iterator<Item = (usize, &str)> {
    const SEPARATORS: [char; 2] = ['/', ':'];
    let starts = std::iter::once(0).chain(path.match_indices(SEPARATORS).map(|(at, _)| at + 1));
    starts.map(|at| (at, path[at..].split(SEPARATORS).next().unwrap_or_default()))
}

/// `pod<uid>`, or `kubepods-burstable-pod<uid>.slice`, where underscores stand for the dashes of the UID.
fn pod_uid(part: &str) -> Option<String> {
    let stem = part.strip_suffix(".slice").unwrap_or(part);
    let (before, uid) = stem.rsplit_once("pod")?;
    let uid = uid.replace('_', "-");
    ((before.is_empty() || before.ends_with('-')) && is_uid(&uid)).then_some(uid)
}

/// A UUID, or the hash that the kubelet gives to a pod from a file.
fn is_uid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    (groups == [8, 4, 4, 4, 12] || groups == [32]) && text.split('-').all(is_hex)
}

/// `ID`, `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID`, `libpod-ID.scope`
fn container_id(part: &str) -> Option<&str> {
    let stem = part.strip_suffix(".scope").unwrap_or(part);
    let id = stem.rsplit_once('-').map_or(stem, |(_, id)| id);
    (id.len() == 64 && is_hex(id)).then_some(id)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<CgroupOwner> {
        super::place(text, |_, _| true)
    }

    const UID: &str = "0b6ad3b7-4b63-4e4b-9f42-3a0d0f3a5c11";
    const SLICE: &str = "0b6ad3b7_4b63_4e4b_9f42_3a0d0f3a5c11";
    const HASH: &str = "5d41402abc4b2a76b9719d911017c592";
    const ID: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn pod(uid: &str) -> Option<CgroupOwner> {
        Some(CgroupOwner::Pod(uid.to_owned()))
    }

    fn container(id: &str) -> Option<CgroupOwner> {
        Some(CgroupOwner::Container(id.to_owned()))
    }

    #[test]
    fn a_pod_is_found_in_every_layout_that_the_kubelet_makes() {
        for path in [
            format!("/kubepods/burstable/pod{UID}/{ID}"),
            format!("/kubepods/pod{UID}/{ID}"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SLICE}.slice/cri-containerd-{ID}.scope"
            ),
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE}.slice/crio-{ID}.scope/container"
            ),
            format!("/kubepods.slice/kubepods-pod{SLICE}.slice/docker-{ID}.scope"),
            // kind: the node is a container itself
            format!(
                "/system.slice/docker-{ID}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{SLICE}.slice/cri-containerd-{ID}.scope"
            ),
            // seen from within a pod
            format!("/../../pod{UID}/{ID}"),
            format!("/../../kubepods-burstable-pod{SLICE}.slice/cri-containerd-{ID}.scope"),
            // a systemd path that was taken for a plain one
            format!("/system.slice/containerd.service/kubepods-burstable-pod{SLICE}.slice:cri-containerd:{ID}"),
            // systemd inside the container
            format!("/kubepods/burstable/pod{UID}/{ID}/system.slice/sshd.service"),
        ] {
            assert_eq!(place(&format!("0::{path}\n")), pod(UID), "{path}");
        }
        assert_eq!(place(&format!("0::/kubepods/burstable/pod{HASH}/{ID}")), pod(HASH));
    }

    #[test]
    fn a_container_without_a_pod_is_found_in_every_layout() {
        for path in [
            format!("/docker/{ID}"),
            format!("/system.slice/docker-{ID}.scope"),
            format!("/system.slice/docker-{ID}.scope/init.scope"),
            format!("/machine.slice/libpod-{ID}.scope/container"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"),
            format!("/default/{ID}"),
            format!("/docker/{}/docker/{ID}", ID.replace('9', "8")),
        ] {
            assert_eq!(place(&format!("0::{path}\n")), container(ID), "{path}");
        }
    }

    #[test]
    fn hierarchies_of_version_1_that_know_nothing_do_not_count() {
        let text =
            format!("12:pids:/kubepods/pod{UID}/{ID}\n2:cpuset:/\n1:name=systemd:/kubepods/pod{UID}/{ID}\n0::/\n");
        assert_eq!(place(&text), pod(UID));
    }

    #[test]
    fn hierarchies_that_contradict_each_other_say_nothing() {
        let other = UID.replace('0', "1");
        assert_eq!(place(&format!("2:pids:/kubepods/pod{UID}/{ID}\n1:cpu:/kubepods/pod{other}/{ID}\n")), None);
        assert_eq!(place(&format!("2:pids:/kubepods/pod{UID}/{ID}\n1:cpu:/docker/{ID}\n")), None);
    }

    #[test]
    fn what_only_resembles_a_pod_or_container_is_none() {
        for path in [
            String::new(),
            "/".to_owned(),
            "/user.slice/user-1000.slice/session-3.scope".to_owned(),
            "/kubepods/burstable".to_owned(),
            format!("/kubepods/pod{}", &UID[1..]),
            format!("/kubepods/pod{}", UID.to_uppercase()),
            format!("/kubepods/pod{UID}x"),
            format!("/kubepods/tripod{UID}"),
            format!("/kubepods/pod{}", UID.replace('-', "") + "0"),
            "/kubepods/pod../../etc/passwd".to_owned(),
            format!("/docker/{}", &ID[1..]),
            format!("/docker/{ID}0"),
            format!("/docker/{}", ID.replace('a', "g")),
            "\x1b[31m\u{202e}".repeat(1000),
        ] {
            assert_eq!(place(&format!("0::{path}\n")), None, "{path}");
        }
        for text in ["", "\n\n", ":", "0:", "kubepods", "0::", "\0"] {
            assert_eq!(place(text), None, "{text:?}");
        }
    }
}
