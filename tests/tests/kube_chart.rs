//! The Helm chart, the plain manifest and the kubectl plugin, read by the tools that clusters and people read them with.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::process::Outcome;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
const ALL_ON: &[&str] = &[
    "metrics.enabled=true",
    "metrics.podMonitor.enabled=true",
    "metrics.rules.enabled=true",
    "allow6=any",
    "options={--namespace,shop}",
    "nodeSelector.pool=web",
    "podAnnotations.a=b",
    "image.pullSecrets[0].name=registry",
];

/// A tool that `cargo xtask test` installed.
fn tool(name: &str) -> Command {
    let tools = std::env::var_os("SNATRACE_KUBE").map(PathBuf::from).unwrap();
    Command::new(tools.join("bin").join(name))
}

fn template(options: &[&str], values: &[&str]) -> Outcome {
    let mut helm = tool("helm");
    helm.args(["template", "snatrace", "--namespace", "snatrace"]).args(options);
    helm.args(values.iter().flat_map(|value| ["--set", value]));
    Outcome::of(helm.arg(Path::new(DEPLOY).join("chart/snatrace")))
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap()
}

/// Checks against the schemas of Kubernetes; those of the Prometheus operator are not among them.
fn validate(text: &str) {
    let directory = tempfile::tempdir().unwrap();
    for (number, document) in documents(text).iter().enumerate() {
        if document["apiVersion"] != "monitoring.coreos.com/v1" {
            let file = directory.path().join(format!("{number}.json"));
            fs::write(&file, document.to_string()).unwrap();
            Outcome::of(tool("kubernetes-validate").arg("--strict").arg(file)).done();
        }
    }
}

#[test]
#[ignore = "needs helm: cargo xtask test --only chart"]
fn the_chart_is_linted_and_valid_with_everything_off_and_on() {
    Outcome::of(tool("helm").args(["lint", "--strict"]).arg(Path::new(DEPLOY).join("chart/snatrace"))).done();
    validate(&template(&[], &[]).done());
    let text = template(&[], ALL_ON).done();
    validate(&text);
    let all = documents(&text);
    let container = &of_kind(&all, "DaemonSet")["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].to_string();
    assert!(args.contains(r#""--metrics","$(HOST_IP):9435","--namespace","shop""#), "{args}");
    assert_eq!(of_kind(&all, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"], container["ports"][0]["name"]);
    let alerts = fs::read_to_string(Path::new(DEPLOY).join("monitoring/alerts.yaml")).unwrap();
    assert_eq!(of_kind(&all, "PrometheusRule")["spec"], documents(&alerts)[0]);
}

#[test]
#[ignore = "needs helm: cargo xtask test --only chart"]
fn the_plain_manifest_is_what_the_chart_makes_by_default() {
    let text = fs::read_to_string(Path::new(DEPLOY).join("daemonset.yaml")).unwrap();
    validate(&text);
    let (chart, plain) = (documents(&template(&[], &[]).done()), documents(&text));
    let [chart, plain] = [&chart, &plain].map(|documents| &of_kind(documents, "DaemonSet")["spec"]);
    assert_eq!(chart["template"]["spec"], plain["template"]["spec"]);
    assert_eq!(chart["updateStrategy"], plain["updateStrategy"]);
}

#[test]
#[ignore = "needs helm: cargo xtask test --only chart"]
fn before_kubernetes_1_30_apparmor_is_an_annotation() {
    let old = documents(&template(&["--kube-version", "1.29.0"], &[]).done());
    let pod = &of_kind(&old, "DaemonSet")["spec"]["template"];
    assert_eq!(pod["metadata"]["annotations"]["container.apparmor.security.beta.kubernetes.io/snatrace"], "unconfined");
    assert_eq!(pod["spec"]["containers"][0]["securityContext"]["appArmorProfile"], Value::Null);
}

#[test]
#[ignore = "needs helm: cargo xtask test --only chart"]
fn the_schema_refuses_wrong_and_unknown_values() {
    for value in ["alow=any", "allow=32768-", "metrics.port=99999", "metrics.enable=true", "arch={riscv64}"] {
        let outcome = template(&[], &[value]);
        assert_eq!(outcome.code, Some(1), "{value} is taken: {}", outcome.stdout);
        assert!(outcome.stderr.contains("schema"), "{value}: {}", outcome.stderr);
    }
}

#[test]
#[ignore = "needs helm: cargo xtask test --only chart"]
fn the_plugin_and_the_cluster_are_clean_shell_and_its_roles_valid() {
    let scripts = ["build", "check", "cluster", "image", "node"].map(|name| format!("../tests/kubernetes/{name}.sh"));
    let mut shellcheck = Command::new("shellcheck");
    let found = Outcome::of(
        shellcheck
            .args(["kubectl/kubectl-snatrace", "node-problem-detector/check-snatrace"])
            .args(scripts)
            .current_dir(DEPLOY),
    );
    assert_eq!((found.code, found.stdout.as_str()), (Some(0), ""));
    validate(&fs::read_to_string(Path::new(DEPLOY).join("kubectl/rbac.yaml")).unwrap());
}
