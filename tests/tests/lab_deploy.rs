//! deploy/daemonset.yaml in a real container on the lab's node: its arguments, environment, capabilities and mounts are enough.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::binary;
use tests::lab::{Lab, connections, is_flagged_end};
use tests::process::{Outcome, Running};

/// What the cluster calls the node; its host name is `node`.
const NODE_NAME: &str = "node7.example.com";

/// The pod that the manifest describes.
fn pod() -> Value {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/daemonset.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(manifest).unwrap()).unwrap();
    let daemon_set = documents.into_iter().find(|document| document["kind"] == "DaemonSet").unwrap();
    daemon_set["spec"]["template"]["spec"].clone()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// The container as a kubelet specifies it for the runtime: own namespaces except for the network's.
fn bundle(pod: &Value, lab: &Lab, shared: &Path) -> Value {
    assert_eq!(pod["hostNetwork"], true);
    let container = &pod["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
    let capabilities = strings(&security["capabilities"]["add"]).into_iter().map(|name| format!("CAP_{name}"));
    let capabilities: Vec<String> = capabilities.collect();
    // The client's connections are compared with all lines.
    let args =
        strings(&container["args"]).into_iter().filter(|arg| !["--fold", "--max-lines", "10/s"].contains(&&**arg));
    let extra = ["--all", "--src", lab.variable("SRC"), "--ready-file", "/shared/ready", "--duration", "120s"];
    let arguments = ["snatrace".to_owned()].into_iter().chain(args).chain(extra.map(str::to_owned));
    let value = |each: &Value| match each["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("spec.nodeName") => NODE_NAME.to_owned(),
        _ => each["value"].as_str().unwrap().to_owned(),
    };
    let pair = |each: &Value| format!("{}={}", each["name"].as_str().unwrap(), value(each));
    let variables = container["env"].as_array().unwrap().iter().map(pair);
    let variables: Vec<String> = ["PATH=/".to_owned()].into_iter().chain(variables).collect();
    let mount = &container["volumeMounts"][0];
    let host = mount["mountPath"].as_str().unwrap();
    let access = if mount["readOnly"] == true { "ro" } else { "rw" };
    let bind = |source: &Path, to: String, access: &str| json!({ "destination": to, "type": "none", "source": source, "options": ["rbind", access] });
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "cwd": "/",
            "args": arguments.collect::<Vec<_>>(),
            "env": variables,
            "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
        },
        "root": { "path": "rootfs", "readonly": security["readOnlyRootFilesystem"] },
        "hostname": "node",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
            // The root of the lab's host has no /proc of its own.
            bind(Path::new("/proc"), format!("{host}/proc"), access),
            bind(&Path::new(lab.variable("HOST_ROOT")).join("var"), format!("{host}/var"), access),
            bind(shared, "/shared".to_owned(), "rw"),
        ],
        "linux": {
            "namespaces": [
                { "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
                { "type": "network", "path": lab.node() },
            ],
            // The parts of /proc and /sys that runtimes hide by default.
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}

/// A container that is gone when this is dropped.
struct Container {
    directory: TempDir,
    name: String,
}

impl Container {
    fn new(pod: &Value, lab: &Lab) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["rootfs", "shared", "state"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::copy(binary(), path("rootfs/snatrace")).unwrap();
        fs::write(path("config.json"), bundle(pod, lab, &path("shared")).to_string()).unwrap();
        Self { name: format!("snatrace-test-{}", std::process::id()), directory }
    }

    fn shared(&self, name: &str) -> PathBuf {
        self.directory.path().join("shared").join(name)
    }

    fn runc(&self, words: &[&str]) -> Command {
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.directory.path().join("state")).args(words).arg(&self.name);
        command.current_dir(self.directory.path());
        command
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Fails when it has ended, as it should have.
        let _ = Outcome::of(&mut self.runc(&["delete", "--force"]));
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn the_daemon_set_has_what_a_capture_needs_and_names_pods() {
    let lab = Lab::up("fully_random");
    let container = Container::new(&pod(), &lab);
    let tail = Running::start(&mut container.runc(&["run"]));
    // As a kubelet ends it.
    let (outcome, failed) = lab.play(tail, &container.shared("ready"), Signal::SIGTERM);
    assert!(!outcome.stderr.contains("owner is off"), "{}", outcome.stderr);
    let named = connections(&outcome.stdout, |line| {
        is_flagged_end(line) && line["namespace"] == "shop" && line["node"] == NODE_NAME
    });
    assert_eq!(named, failed, "pods without a name: {}", outcome.stdout);
}
