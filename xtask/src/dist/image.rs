//! The container image of all architectures as an OCI archive: Debian's nft and iptables, unpacked, and above them snatrace.
//!
//! No container engine builds it and no base image is pulled, so that it can be made wherever Debian's packages can be had.
//! The image lists its packages with their versions in `/var/lib/dpkg/status.d`, where scanners look for them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Release;
use crate::arch::Arch;
use crate::vm::Apt;
use crate::{paths, process};

const SUITES: &[&str] = &["bookworm", "bookworm-security"];
const TOOLS: &[&str] = &["nftables", "iptables"];
/// Not needed to run the tools; copyright files stay.
const LEFT_OUT: &[&str] = &["usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug"];

/// Writes the image of binaries that are built already; its path.
pub fn build(release: &Release, archs: &[Arch], dist: &Path) -> Result<PathBuf> {
    let work = paths::target().join("image");
    let _ = fs::remove_dir_all(&work);
    let layout = Layout { dir: work.join("layout"), release };
    fs::create_dir_all(layout.dir.join("blobs/sha256"))?;
    let manifests = archs.iter().map(|arch| layout.image(*arch, &work)).collect::<Result<Vec<_>>>()?;
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let mut index = layout.json(INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }))?;
    index["annotations"] = json!({ "org.opencontainers.image.ref.name": release.version });
    fs::write(layout.dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let top = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [index] });
    fs::write(layout.dir.join("index.json"), top.to_string())?;
    let archive = dist.join(format!("snatrace-{}.oci.tar", release.version));
    layout.tar(&layout.dir, &archive)?;
    Ok(archive)
}

/// Unpacks one architecture's image into a directory, as a container engine would.
pub fn unpack(archive: &Path, arch: Arch, root: &Path) -> Result<()> {
    fs::create_dir_all(root)?;
    let work = TempDir::new_in(paths::target())?;
    let tar =
        |file: &Path, dir: &Path| process::output(process::command("tar").arg("-xf").arg(file).arg("-C").arg(dir));
    tar(archive, work.path())?;
    let blob = |descriptor: &Value| -> Result<PathBuf> {
        let digest = descriptor["digest"].as_str().context("a descriptor without a digest")?;
        Ok(work.path().join("blobs").join(digest.replace(':', "/")))
    };
    let json = |file: &Path| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
    let index = json(&blob(&json(&work.path().join("index.json"))?["manifests"][0])?)?;
    let manifests = index["manifests"].as_array().into_iter().flatten();
    let mut of_arch = manifests.filter(|manifest| manifest["platform"]["architecture"] == arch.debian());
    let manifest = of_arch.next().with_context(|| format!("no image for {}", arch.debian()))?;
    let layers = json(&blob(manifest)?)?;
    layers["layers"].as_array().into_iter().flatten().try_for_each(|layer| tar(&blob(layer)?, root).map(drop))
}

struct Layout<'a> {
    dir: PathBuf,
    release: &'a Release,
}

impl Layout<'_> {
    /// The descriptor of one architecture's image.
    fn image(&self, arch: Arch, work: &Path) -> Result<Value> {
        let tools = work.join(arch.debian()).join("tools");
        unpack_tools(arch, &tools)?;
        let own = work.join(arch.debian()).join("own");
        fs::create_dir_all(own.join("usr/bin"))?;
        let binary = paths::target().join(arch.triple()).join("release/snatrace");
        fs::copy(&binary, own.join("usr/bin/snatrace")).with_context(|| format!("copying {}", binary.display()))?;
        let layers = [self.layer(&tools)?, self.layer(&own)?];
        let config = json!({
            "architecture": arch.debian(),
            "os": "linux",
            "config": {
                "Entrypoint": ["/usr/bin/snatrace"],
                "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                "Labels": {
                    "org.opencontainers.image.title": "snatrace",
                    "org.opencontainers.image.version": self.release.version,
                    "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
                },
            },
            "rootfs": { "type": "layers", "diff_ids": layers.each_ref().map(|(_, content)| content) },
        });
        let config = self.json("application/vnd.oci.image.config.v1+json", &config)?;
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let layers = layers.map(|(descriptor, _)| descriptor);
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        let mut descriptor = self.json(MANIFEST, &manifest)?;
        descriptor["platform"] = json!({ "architecture": arch.debian(), "os": "linux" });
        Ok(descriptor)
    }

    /// A directory as a layer: its descriptor, and the digest of its uncompressed content.
    fn layer(&self, tree: &Path) -> Result<(Value, String)> {
        let tar = tree.with_extension("tar");
        self.tar(tree, &tar)?;
        let content = digest(&tar)?;
        process::output(process::command("gzip").args(["-6n", "--force"]).arg(&tar))?;
        let packed = tree.with_extension("tar.gz");
        Ok((self.blob("application/vnd.oci.image.layer.v1.tar+gzip", &packed)?, content))
    }

    fn json(&self, media_type: &str, value: &Value) -> Result<Value> {
        let file = self.dir.with_extension("json");
        fs::write(&file, value.to_string())?;
        self.blob(media_type, &file)
    }

    /// Moves a file into the layout; its descriptor.
    fn blob(&self, media_type: &str, file: &Path) -> Result<Value> {
        let (digest, size) = (digest(file)?, fs::metadata(file)?.len());
        fs::rename(file, self.dir.join("blobs").join(digest.replace(':', "/")))?;
        Ok(json!({ "mediaType": media_type, "digest": digest, "size": size }))
    }

    fn tar(&self, tree: &Path, archive: &Path) -> Result<()> {
        process::output(super::tar(self.release).arg("-cf").arg(archive).arg("-C").arg(tree).arg(".")).map(drop)
    }
}

pub fn digest(file: &Path) -> Result<String> {
    let sum = process::output(process::command("sha256sum").arg(file))?;
    Ok(format!("sha256:{}", sum.split(' ').next().unwrap_or_default()))
}

/// Unpacks the packages without their scripts, which would have to run on the other architecture.
fn unpack_tools(arch: Arch, root: &Path) -> Result<()> {
    fs::create_dir_all(root)?;
    let apt = Apt::with(paths::target().join("image-apt").join(arch.debian()), SUITES, arch)?;
    // base-files has the directories and the name of the release; what it depends on is a shell's.
    let packages = [apt.download_with_dependencies(TOOLS)?, apt.download(&["base-files".to_owned()])?].concat();
    Apt::unpack_all(&packages, root)?;
    let status = root.join("var/lib/dpkg/status.d");
    fs::create_dir_all(&status)?;
    for package in &packages {
        let control = process::output(process::command("dpkg-deb").arg("-f").arg(package))?;
        let name =
            control.lines().find_map(|line| line.strip_prefix("Package: ")).context("a package without a name")?;
        fs::write(status.join(name), &control)?;
    }
    // What update-alternatives does when iptables is installed.
    for family in ["iptables", "ip6tables"] {
        for verb in ["", "-save", "-restore"] {
            symlink("xtables-nft-multi", root.join("usr/sbin").join(format!("{family}{verb}")))?;
        }
    }
    LEFT_OUT.iter().for_each(|dir| drop(fs::remove_dir_all(root.join(dir))));
    Ok(())
}
