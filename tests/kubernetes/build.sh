#!/bin/bash
# Makes what cluster.sh needs, below DIR: Kubernetes 1.20 built from Debian's source, etcd, CNI plugins, images.   build.sh DIR SNATRACE-IMAGE
#
# Debian has no kubelet as a package. The build takes four minutes of two processors and 3 GB, once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 image=$2
mkdir -p "$dir"/{bin,cni,images,apt/lists/partial,apt/cache/archives/partial,packages,root,source}

apt() {
    local program=$1
    shift
    "$program" -o Dir::State::lists="$dir/apt/lists" -o Dir::State::status="$dir/apt/status" -o Dir::Cache="$dir/apt/cache" \
        -o Dir::Etc::sourcelist="$dir/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}
fetch() {
    # The mirror that the machine itself uses, with sources; nothing is installed.
    local mirror
    # shellcheck disable=SC2016 # apt's own variables
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' | awk '$2 == "bookworm" { print $1; exit }')
    for kind in deb deb-src; do echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main"; done >"$dir/apt/sources.list"
    : >"$dir/apt/status"
    apt apt-get update -qq
    (cd "$dir/packages" && apt apt-get download -qq golang-1.19-go golang-1.19-src etcd-server containernetworking-plugins)
    for package in "$dir"/packages/*.deb; do dpkg-deb -x "$package" "$dir/root"; done
    (cd "$dir/source" && apt apt-get source -qq --download-only kubernetes && tar -xzf kubernetes_*.orig.tar.gz)
}
build() {
    export GOROOT=$dir/root/usr/lib/go-1.19 GOPATH=$dir/go GOCACHE=$dir/go/cache GO111MODULE=off CGO_ENABLED=0
    export PATH=$GOROOT/bin:$PATH
    local tree=$GOPATH/src/k8s.io/kubernetes package=k8s.io/kubernetes/pkg/generated/openapi flags='-s -w' inputs
    mkdir -p "$GOPATH/src/k8s.io"
    [ -e "$tree" ] || mv "$dir"/source/kubernetes-* "$tree"
    cd "$tree"
    # The only generated file that the source lacks.
    go build -o "$dir/bin/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    inputs=$(grep -rl --include='*.go' '+k8s:openapi-gen' pkg staging/src | xargs -n 1 dirname | sort -u |
        grep -v -e sample-apiserver -e code-generator -e kube-aggregator/pkg/generated |
        sed -e 's#^staging/src/#k8s.io/kubernetes/vendor/#' -e 's#^pkg/#k8s.io/kubernetes/pkg/#' | paste -sd,)
    "$dir/bin/openapi-gen" -i "$inputs" -p $package -O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt -r /dev/null
    for part in gitVersion=v1.20.2 gitMajor=1 gitMinor=20; do
        for where in component-base/version client-go/pkg/version; do flags="$flags -X k8s.io/kubernetes/vendor/k8s.io/$where.$part"; done
    done
    for program in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
        go build -trimpath -ldflags "$flags" -o "$dir/bin/$program" "./cmd/$program"
    done
}
if [ ! -x "$dir/bin/kubelet" ]; then
    [ -e "$dir/source/ready" ] || { fetch && touch "$dir/source/ready"; }
    (build)
    cp "$dir/root/usr/bin/etcd" "$dir/bin/"
    cp "$dir"/root/usr/lib/cni/{bridge,host-local,loopback} "$dir/cni/"
fi

# The images of cluster.sh: a pause that ends when asked to, a client, snatrace.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/pause" "$tree/client" "$tree/client/bin"
echo '#include <signal.h>
#include <unistd.h>
static void end(int signal) { _exit(signal == SIGTERM ? 0 : 1); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }' | cc -x c -O1 -static -o "$tree/pause/pause" -
cp "$(command -v busybox)" "$tree/client/bin/"
ln -s busybox "$tree/client/bin/sh"
"$here/image.sh" lab.test/pause:1 "$tree/pause" "$dir/images/pause.tar" /pause
"$here/image.sh" lab.test/client:1 "$tree/client" "$dir/images/client.tar" /bin/sh
cp "$image" "$dir/images/snatrace.tar"
