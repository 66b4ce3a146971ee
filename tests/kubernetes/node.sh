#!/bin/bash
# One node of cluster.sh, in its network and mount namespace: containerd, kubelet, kube-proxy.
set -eu
: "${dir:?}" "${state:?}"
number=$1 name=node$1 own=$state/node$1
mkdir -p "$own"/{containerd,cni,ipam,log,fake,opt}
mount --make-rshared /
mount --bind "$own/log" /var/log
mount -t tmpfs tmpfs /run/lock 2>/dev/null || true

# kubelet writes settings of the whole machine.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$own/fake/$(basename "${setting%=*}")
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
done

cat >"$own/cni/lab.conflist" <<CNI
{"cniVersion": "0.4.0", "name": "lab", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false,
 "ipam": {"type": "host-local", "dataDir": "$own/ipam", "ranges": [[{"subnet": "10.244.$number.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
CNI
cat >"$own/containerd.toml" <<TOML
version = 2
root = "$own/containerd"
state = "/run/containerd-$name"
oom_score = 0
[grpc]
  address = "/run/$name.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$own/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "lab.test/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$dir/cni"
    conf_dir = "$own/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
TOML
containerd -c "$own/containerd.toml" >"$state/$name-containerd.log" 2>&1 &
for _ in $(seq 60); do ctr -a "/run/$name.sock" version >/dev/null 2>&1 && break; sleep 0.5; done
for image in "$dir"/images/*.tar; do ctr -a "/run/$name.sock" -n k8s.io images import --base-name lab.test/snatrace "$image"; done

"$dir/bin/kube-proxy" --kubeconfig="$KUBECONFIG" --hostname-override="$name" --proxy-mode=iptables --masquerade-all \
    --metrics-bind-address=127.0.0.1:10249 --healthz-bind-address=127.0.0.1:10256 --conntrack-max-per-core=0 --conntrack-min=0 \
    --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 >"$state/$name-proxy.log" 2>&1 &

groups=/
[ "$number" = 1 ] || groups=/snatrace-node2
for controller in cpu cpuacct cpuset memory devices freezer blkio pids systemd hugetlb; do
    [ -d /sys/fs/cgroup/$controller ] && mkdir -p "/sys/fs/cgroup/$controller$groups"
done
for file in cpus mems; do cat /sys/fs/cgroup/cpuset/cpuset.$file >"/sys/fs/cgroup/cpuset$groups/cpuset.$file" 2>/dev/null || true; done
cat >"$own/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: $groups
failSwapOn: false
oomScoreAdj: 0
maxOpenFiles: 20000
evictionHard: {memory.available: 10Mi}
imageGCHighThresholdPercent: 100
enforceNodeAllocatable: []
address: 10.199.$number.2
healthzPort: 0
YAML
exec "$dir/bin/kubelet" --config="$own/kubelet.yaml" --kubeconfig="$KUBECONFIG" --hostname-override="$name" --root-dir="$own/kubelet" \
    --cert-dir="$own/certs" --container-runtime=remote --container-runtime-endpoint="unix:///run/$name.sock" \
    --image-service-endpoint="unix:///run/$name.sock" --node-ip="10.199.$number.2" >"$state/$name-kubelet.log" 2>&1
