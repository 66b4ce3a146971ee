//! The name of a container that no pod has: what Docker or Podman call it in their files, else its short id.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::cgroup::CgroupOwner;
use super::{Found, Host, is_name};
use crate::model::Owner;

/// Where Docker keeps a directory for each container.
const DOCKER: &str = "var/lib/docker/containers";
/// Podman, run by root, keeps its lists in a directory for each storage driver.
const PODMAN_DRIVERS: [&str; 4] = ["overlay", "vfs", "btrfs", "zfs"];
/// The second has the containers that are removed when they stop: those of `podman run --rm`, and so those of Quadlet.
const PODMAN_LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];
/// Longer files are not read.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// As much of an id as `docker ps` shows.
const SHORT_ID_LEN: usize = 12;

/// The container's name.
pub(super) fn find(host: &Host, place: &CgroupOwner) -> Option<Found> {
    let CgroupOwner::Container(id) = place else { return None };
    let docker = || docker_name(&host.text(&Path::new(DOCKER).join(id).join("config.v2.json"), MAX_FILE_BYTES)?);
    let podman = || podman_lists().find_map(|list| podman_name(&host.text(&list, MAX_FILE_BYTES)?, id));
    let name = docker().or_else(podman).or_else(|| id.get(..SHORT_ID_LEN).map(str::to_owned))?;
    Some(Found { owner: Owner { container: Some(name.into()), ..Owner::default() }, watch: None })
}

fn podman_lists() -> impl Iterator<Item = PathBuf> {
    let in_driver = |driver| {
        let directory = Path::new("var/lib/containers/storage").join(format!("{driver}-containers"));
        PODMAN_LISTS.map(|list| directory.join(list))
    };
    PODMAN_DRIVERS.into_iter().flat_map(in_driver)
}

/// `"Name": "/web"`
fn docker_name(config: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "Name")]
        name: String,
    }
    let Config { name } = serde_json::from_str(config).ok()?;
    let name = name.strip_prefix('/').unwrap_or(&name);
    is_name(name).then(|| name.to_owned())
}

/// `[{"id": "...", "names": ["web"]}]`
fn podman_name(list: &str, id: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Container {
        id: String,
        #[serde(default)]
        names: Vec<String>,
    }
    let list: Vec<Container> = serde_json::from_str(list).ok()?;
    let name = list.into_iter().find(|container| container.id == id)?.names.into_iter().next()?;
    is_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_file_has_the_name_after_a_slash() {
        assert_eq!(docker_name(r#"{"ID":"9f","Name":"/web_1","State":{"Pid":7}}"#).as_deref(), Some("web_1"));
    }

    #[test]
    fn podmans_file_lists_all_containers() {
        let list = r#"[{"id":"8f"},{"id":"9f","names":["web"],"layer":"x"}]"#;
        assert_eq!(podman_name(list, "9f").as_deref(), Some("web"));
        assert_eq!((podman_name(list, "8f"), podman_name(list, "7f")), (None, None));
    }

    #[test]
    fn a_file_that_is_damaged_or_hostile_has_no_name() {
        for config in
            ["", "{}", "[]", r#"{"Name":7}"#, r#"{"Name":"/"}"#, r#"{"Name":"/a/b"}"#, "{\"Name\":\"/\\u001b[31m\"}"]
        {
            assert_eq!(docker_name(config), None, "{config}");
        }
        let long = format!(r#"{{"Name":"/{}"}}"#, "x".repeat(254));
        assert_eq!(docker_name(&long), None);
        for list in ["", "{}", "[7]", r#"[{"id":"9f","names":["\n"]}]"#, r#"[{"id":"9f","names":"web"}]"#] {
            assert_eq!(podman_name(list, "9f"), None, "{list}");
        }
    }
}
