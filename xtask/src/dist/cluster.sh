#!/usr/bin/env bash
# cluster.sh DIST VERSION URL: what a release has for clusters beside the image: the Helm chart, and the kubectl plugin with its manifest
# for krew, which downloads it from URL.
. "$(dirname "$0")/lib.sh"
dist=$1 version=$2 url=$3

archive() {
    pack --mode=u+w,go=rX --dereference -I 'gzip -n' -cf "$@"
}

# What `helm package` writes: the directory of the chart, links followed.
archive "$dist/snatrace-chart-$version.tgz" -C deploy/chart snatrace
plugin=$dist/kubectl-snatrace.tar.gz
archive "$plugin" --transform 's#.*/##' deploy/kubectl/kubectl-snatrace deploy/kubectl/rbac.yaml LICENSE-MIT LICENSE-APACHE
sum=$(sha256sum <"$plugin" | cut -d' ' -f1)
sed -e "s#https://ADDRESS#${url%/}#" -e "s/VERSION/$version/" -e "s/sha256: SHA256/sha256: $sum/" deploy/kubectl/krew.yaml \
    >"$dist/snatrace.krew.yaml"
