//! What `cargo xtask dist` builds, as those meet it who install it: packages, archives, image, checksums.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::lab::Lab;
use tests::process::{Outcome, Running};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The only file of the release with this ending.
fn file(ending: &str) -> PathBuf {
    let dist = std::env::var_os("SNATRACE_DIST").map(PathBuf::from).unwrap();
    let files = fs::read_dir(dist).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{ending}: {found:?}");
    found[0].clone()
}

fn run(program: &str, args: &[&str], last: &Path) -> String {
    Outcome::of(Command::new(program).args(args).arg(last).env("DEBIAN_FRONTEND", "noninteractive")).done()
}

/// The installed package; purged when this is dropped.
struct Installed;

impl Installed {
    fn from(deb: &Path) -> Self {
        let known = Outcome::of(Command::new("dpkg-query").args(["-W", "snatrace"]));
        assert_ne!(known.code, Some(0), "snatrace is installed here already: purge it first");
        let installed = Self;
        run("apt-get", &["install", "-qq", "-y", "--no-install-recommends"], deb);
        installed
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = Outcome::of(Command::new("dpkg").args(["--purge", "snatrace"]));
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --only dist"]
fn the_deb_is_installed_used_and_removed_without_a_trace() {
    let installed = Installed::from(&file(".deb"));
    let listed = run("dpkg", &["-L"], Path::new("snatrace"));
    // dpkg may be told to leave out documentation.
    let is_kept = |path: &&str| !path.starts_with("/usr/share/man") && !path.starts_with("/usr/share/doc");
    let files: Vec<&str> = listed.lines().filter(is_kept).filter(|path| Path::new(path).is_file()).collect();
    for expected in ["/usr/bin/snatrace", "/etc/default/snatrace", "/usr/share/bash-completion/completions/snatrace"] {
        assert!(files.contains(&expected), "{expected}: {listed}");
    }
    assert!(listed.contains("/usr/share/man/man1/snatrace-tail.1.gz"), "{listed}");
    let golden = Path::new(ROOT).join("tests/golden/host-wire.trace");
    let shown = run("/usr/bin/snatrace", &["replay"], &golden);
    assert_eq!(shown, fs::read_to_string(golden.with_extension("txt")).unwrap());
    let unit = *files.iter().find(|path| path.ends_with("/snatrace.service")).unwrap();
    let verified = Outcome::of(Command::new("systemd-analyze").args(["verify", "--man=no", unit]));
    assert_eq!((verified.code, verified.stderr.as_str()), (Some(0), ""));
    capture_without_root(Path::new(unit));
    run("systemd-analyze", &["security", "--offline=true", "--threshold=35", "--no-pager"], Path::new(unit));
    drop(installed);
    for file in files {
        assert!(!Path::new(file).exists(), "{file} is left behind");
    }
    let links = run("find", &["/etc/systemd", "/var/lib/systemd", "-name", "*snatrace*"], Path::new("-print"));
    assert_eq!(links, "", "left behind");
}

/// Runs the installed program on the lab's node as the service does: by a user without root, with the unit's capabilities.
fn capture_without_root(unit: &Path) {
    let text = fs::read_to_string(unit).unwrap();
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    assert!(value("ExecStart=").starts_with("/usr/bin/snatrace tail "), "{text}");
    assert_eq!(value("NoNewPrivileges="), "yes");
    // SYS_RESOURCE is for kernels before 5.11, and not every root has it to give.
    let capabilities = value("AmbientCapabilities=").split(' ').filter(|name| *name != "CAP_SYS_RESOURCE");
    let set = capabilities.fold("-all".to_owned(), |set, name| format!("{set},+{}", name[4..].to_lowercase()));
    let lab = Lab::up("fully_random");
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let ready = directory.path().join("ready");
    let mut tail = Command::new("nsenter");
    tail.arg(format!("--net={}", lab.node().display()));
    tail.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
    tail.args(["--inh-caps", "--ambient-caps", "--bounding-set"].map(|option| format!("{option}={set}")));
    tail.args(["/usr/bin/snatrace", "tail", "--all", "-o", "json", "--src", lab.variable("SRC"), "--ready-file"]);
    // Exactly what failed is flagged.
    let _ = lab.play(Running::start(tail.arg(&ready)), &ready, Signal::SIGTERM);
}

#[test]
#[ignore = "needs cargo xtask test --only dist"]
fn lintian_finds_nothing() {
    let found = run("lintian", &["--display-info", "--fail-on", "error,warning,info", "--allow-root"], &file(".deb"));
    assert_eq!(found, "");
}

#[test]
#[ignore = "needs cargo xtask test --only dist"]
fn the_rpm_is_installed_used_and_removed_and_rpmlint_finds_nothing() {
    let rpm = file(".rpm");
    assert!(run("rpm", &["-K"], &rpm).trim_end().ends_with("digests OK"));
    let listed = run("rpm", &["-qpil"], &rpm);
    for expected in ["/usr/bin/snatrace", "/usr/lib/systemd/system/snatrace.service", "License     : MIT OR Apache-2.0"]
    {
        assert!(listed.contains(expected), "{expected}: {listed}");
    }
    // Into a system of its own that has nothing but what the package's scripts call.
    let root = tempfile::tempdir().unwrap();
    let at = root.path().to_str().unwrap();
    let make = "cd \"$1\" && mkdir bin dev && : >dev/null && cp \"$(command -v busybox)\" bin/sh && ln -s sh bin/rmdir";
    run("sh", &["-c", make, "sh"], root.path());
    run("rpm", &["--root", at, "--nodeps", "--install"], &rpm);
    assert!(run("chroot", &[at, "/usr/bin/snatrace"], Path::new("--version")).starts_with("snatrace "));
    run("rpm", &["--root", at, "--erase"], Path::new("snatrace"));
    assert_eq!(run("find", &[at, "-name", "*snatrace*"], Path::new("-print")), "", "left behind");
    let config = Path::new(ROOT).join("deploy/package/rpmlint.toml");
    let found = run("rpmlint", &["--config", config.to_str().unwrap()], &rpm);
    assert!(found.contains(" 0 errors, 0 warnings"), "{found}");
}

#[test]
#[ignore = "needs cargo xtask test --only dist"]
fn checksums_cover_every_file_and_debug_information_fits() {
    let sums = file("SHA256SUMS");
    let dist = sums.parent().unwrap();
    let checked = Outcome::of(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(dist)).done();
    assert_eq!(checked.lines().count() + 1, fs::read_dir(dist).unwrap().count(), "{checked}");
    let debug = run("tar", &["-tJf"], &file("-debug.tar.xz"));
    assert_eq!(debug, "snatrace.debug\nsnatrace-lab.debug\n");
    let sbom: Value = serde_json::from_slice(&fs::read(file(".cdx.json")).unwrap()).unwrap();
    let components = sbom["components"].as_array().unwrap();
    assert!(components.iter().any(|component| component["name"] == "aya"), "no aya among {}", components.len());
}

#[test]
#[ignore = "needs root: cargo xtask test --only dist"]
fn the_image_runs_snatrace_and_the_tools_that_list_rules() {
    let layout = tempfile::tempdir().unwrap();
    let unpack = |archive: &Path, into: &Path| {
        let mut tar = Command::new("tar");
        Outcome::of(tar.arg("-xf").arg(archive).arg("-C").arg(into)).done();
    };
    unpack(&file(".oci.tar"), layout.path());
    let blob =
        |descriptor: &Value| layout.path().join("blobs").join(descriptor["digest"].as_str().unwrap().replace(':', "/"));
    let json = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let top = json(&layout.path().join("index.json"));
    let manifest = json(&blob(&json(&blob(&top["manifests"][0]))["manifests"][0]));
    assert_eq!(json(&blob(&manifest["config"]))["config"]["Entrypoint"][0], "/usr/bin/snatrace");
    let root = tempfile::tempdir().unwrap();
    manifest["layers"].as_array().unwrap().iter().for_each(|layer| unpack(&blob(layer), root.path()));
    for (program, expected) in [
        ("/usr/bin/snatrace", "snatrace "),
        ("/usr/sbin/nft", "nftables "),
        ("/usr/sbin/iptables-save", "iptables-save v"),
    ] {
        let version = Outcome::of(Command::new("chroot").arg(root.path()).args([program, "--version"])).done();
        assert!(version.starts_with(expected), "{program}: {version}");
    }
}

#[test]
#[ignore = "needs cargo xtask test --only dist"]
fn the_chart_and_the_plugin_are_whole_and_krew_knows_the_plugins_checksum() {
    let chart = run("tar", &["-tzf"], &file(&format!("snatrace-chart-{}.tgz", env!("CARGO_PKG_VERSION"))));
    assert!(
        chart.contains("snatrace/Chart.yaml\n") && chart.contains("snatrace/templates/daemonset.yaml\n"),
        "{chart}"
    );
    let plugin = file("kubectl-snatrace.tar.gz");
    assert_eq!(run("tar", &["-tzf"], &plugin), "kubectl-snatrace\nrbac.yaml\nLICENSE-MIT\nLICENSE-APACHE\n");
    let sum = run("sha256sum", &[], &plugin);
    let manifest = fs::read_to_string(file("snatrace.krew.yaml")).unwrap();
    let manifest: Value = serde_saphyr::from_str(&manifest).unwrap();
    assert_eq!(manifest["spec"]["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    let platform = &manifest["spec"]["platforms"][0];
    assert_eq!(platform["sha256"].as_str(), sum.split(' ').next());
    let usage = tempfile::tempdir().unwrap();
    let script = "tar -xzf \"$1\" && ./kubectl-snatrace --help";
    let help = Outcome::of(Command::new("sh").args(["-c", script, "sh"]).arg(&plugin).current_dir(usage.path())).done();
    assert!(help.contains("kubectl snatrace tail|doctor|record|top"), "{help}");
}
