//! Names of a pod, from the directory that the kubelet keeps its logs in: `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/`.

use std::path::Path;

use super::cgroup::CgroupOwner;
use super::{Found, Host, is_name};
use crate::model::Owner;

const DIRECTORY: &str = "var/log/pods";

/// The pod's names. Its containers share the namespace, so one is named only where it is the only one that ever was.
pub(super) fn find(host: &Host, place: &CgroupOwner) -> Option<Found> {
    let CgroupOwner::Pod(uid) = place else { return None };
    let mut pods = host.names(Path::new(DIRECTORY)).filter_map(|directory| pod(&directory, uid));
    let found = pods.next()?;
    if pods.next().is_some() {
        return None;
    }
    let directory = Path::new(DIRECTORY).join(format!("{}_{}_{uid}", found.0, found.1));
    // The kubelet makes a container's directory before it starts the container, so a change is seen in time.
    let changed = host.changed(&directory)?;
    let container = only_container(host, &directory).map(Into::into);
    let owner = Owner { namespace: Some(found.0.into()), pod: Some(found.1.into()), container };
    Some(Found { owner, watch: Some((directory, changed)) })
}

fn only_container(host: &Host, directory: &Path) -> Option<String> {
    let mut containers = host.names(directory);
    let first = containers.next()?;
    let is_only = containers.next().is_none() && is_name(&first) && host.changed(&directory.join(&first)).is_some();
    is_only.then_some(first)
}

/// Namespace and name of the pod with this UID, if the directory is its.
fn pod(directory: &str, uid: &str) -> Option<(String, String)> {
    let (namespace, pod) = directory.strip_suffix(uid)?.strip_suffix('_')?.split_once('_')?;
    // Neither name can have an underscore: DNS labels.
    let is_label = |text: &str| is_name(text) && !text.contains('_');
    (is_label(namespace) && is_label(pod)).then(|| (namespace.to_owned(), pod.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0b6ad3b7-4b63-4e4b-9f42-3a0d0f3a5c11";

    #[test]
    fn a_log_directory_names_namespace_and_pod() {
        let found = pod(&format!("kube-system_coredns-5d78c9869d-abcde_{UID}"), UID);
        assert_eq!(found, Some(("kube-system".to_owned(), "coredns-5d78c9869d-abcde".to_owned())));
        assert!(pod(&format!("shop_web.0_{UID}"), UID).is_some());
    }

    #[test]
    fn a_directory_that_the_kubelet_did_not_make_names_nobody() {
        for name in [
            UID.to_owned(),
            format!("_{UID}"),
            format!("__{UID}"),
            format!("shop_{UID}"),
            format!("shop_web_more_{UID}"),
            format!("shop_web_{UID}_"),
            format!("shop_web{UID}"),
            format!("../etc_web_{UID}"),
            format!("sh\u{1b}[31mop_web_{UID}"),
            format!("shop_{}_{UID}", "w".repeat(254)),
            format!("shop_web_{}", UID.replace('0', "1")),
        ] {
            assert_eq!(pod(&name, UID), None, "{name}");
        }
    }
}
