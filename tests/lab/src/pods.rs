//! The lab's pods as Kubernetes leaves them on a node: a process that holds the namespace, control groups, log directories.
//!
//! The directories are below a root of the lab, never in the machine's `/var/log/pods`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::cgroup::{self, Groups};
use super::net::{Net, PODS};
use super::netns;

/// A pod of the lab.
struct Pod {
    namespace: &'static str,
    name: &'static str,
    containers: &'static [&'static str],
    /// Its control group by its UID, as the kubelet names it.
    group: fn(&str) -> String,
    /// The parts of the name of a container's group around the container's id.
    around: (&'static str, &'static str),
}

const ALL: [Pod; PODS as usize] = [
    Pod {
        namespace: "shop",
        name: "checkout-7d9f8b6c5d-x2x4z",
        containers: &["app"],
        group: |uid| format!("kubepods/burstable/pod{uid}"),
        around: ("", ""),
    },
    Pod {
        namespace: "blog",
        name: "worker-0",
        containers: &["worker", "proxy"],
        group: |uid| {
            let uid = uid.replace('-', "_");
            format!("kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid}.slice")
        },
        around: ("cri-containerd-", ".scope"),
    },
];

/// Pods that are removed when this guard is dropped.
#[derive(Debug)]
pub struct Pods {
    root: PathBuf,
    /// Group of the first container of each pod.
    containers: Vec<PathBuf>,
    pauses: Vec<Child>,
    groups: Groups,
}

impl Pods {
    /// Makes the pods of a lab; `None` on a machine where no control group can be made: without groups, pods have no names.
    pub fn start(net: &Net, scratch: &Path) -> Result<Option<Self>> {
        let Some(groups) = Groups::create(net.number()) else { return Ok(None) };
        let root = scratch.join("host");
        let mut pods = Self { root, containers: Vec::new(), pauses: Vec::new(), groups };
        fs::create_dir_all(&pods.root).with_context(|| format!("cannot make {}", pods.root.display()))?;
        symlink("/proc", pods.root.join("proc")).context("cannot make a link to /proc")?;
        for (index, pod) in (0..).zip(&ALL) {
            pods.add(net, index, pod).with_context(|| format!("cannot make the pod {}", pod.name))?;
        }
        Ok(Some(pods))
    }

    /// The root of the host for a capture: `--host-root`.
    pub fn host_root(&self) -> &Path {
        &self.root
    }

    /// The control group of the first container of a pod.
    pub fn container(&self, pod: usize) -> Option<&Path> {
        self.containers.get(pod).map(PathBuf::as_path)
    }

    fn add(&mut self, net: &Net, index: u32, pod: &Pod) -> Result<()> {
        let uid = format!("5eed1ab0-{:04x}-4000-8000-{index:012x}", net.number());
        let (before, after) = pod.around;
        let group = |container: u32| {
            let id = format!("{:08x}{index:08x}{container:048x}", net.number());
            format!("{}/{before}{id}{after}", (pod.group)(&uid))
        };
        self.containers.push(self.groups.group(&group(1))?);
        let pause = self.groups.group(&group(0))?;
        for container in pod.containers {
            let logs = format!("var/log/pods/{}_{}_{uid}/{container}", pod.namespace, pod.name);
            fs::create_dir_all(self.root.join(logs)).context("cannot make a log directory")?;
        }
        let child = netns::within(&net.pod_ns(index), hold)?;
        let process = child.id();
        self.pauses.push(child);
        cgroup::enter(&pause, process)
    }
}

/// A process in the namespace of the calling thread. It ends with this process, because its standard input ends.
fn hold() -> Result<Child> {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot run cat: install coreutils")
}

impl Drop for Pods {
    fn drop(&mut self) {
        for pause in &mut self.pauses {
            // Fails only when the process has ended.
            let _ = pause.kill();
            let _ = pause.wait();
        }
    }
}
