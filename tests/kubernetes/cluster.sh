#!/bin/bash
# A Kubernetes cluster of two nodes, and beyond a filter the servers that its pods connect to; runs a command in it and removes all of it.
#
#     cluster.sh DIR COMMAND...     DIR: what build.sh made; state goes to DIR/state, logs to DIR/state/*.log
#
# Everything lives in a PID and a mount namespace, so that nothing outlives this script but control groups, which it removes.
#
#     node1 10.199.1.2 --+
#     node2 10.199.2.2 --+-- filter --- servers 10.199.3.2 to 10.199.3.9
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
export state=$dir/state here dir

if [ "${INSIDE:-}" != yes ]; then
    rm -rf "$state"
    mkdir -p "$state"
    status=0
    # unshare itself ignores signals; when it is killed, the kernel kills all below it.
    INSIDE=yes unshare --pid --mount --fork --kill-child --mount-proc "$0" "$@" &
    trap 'kill -KILL $!' INT TERM HUP
    wait $! || status=$?
    # Groups of pods, the deepest first.
    find /sys/fs/cgroup -depth -type d \( -path '*/kubepods*' -o -path '*/snatrace-node2*' -o -path '*/k8s.io*' \) -exec rmdir {} + 2>/dev/null || true
    exit "$status"
fi
shift

mount --make-rprivate /
for each in /run /var/log /mnt; do mount -t tmpfs tmpfs "$each"; done
mkdir -p /run/netns /var/lib/cni

log() { echo "cluster: $*" >&2; }
until_true() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { log "waited in vain: $what"; return 1; }
        sleep 0.5
    done
}

# The wire.
for each in filter node1 node2 servers; do ip netns add $each; ip -n $each link set lo up; done
connect() { # NAMESPACE THIRD-BYTE
    ip -n filter link add "to-$1" type veth peer name eth0 netns "$1"
    ip -n filter addr add "10.199.$2.1/24" dev "to-$1"
    ip -n filter link set "to-$1" up
    ip -n "$1" addr add "10.199.$2.2/24" dev eth0
    ip -n "$1" link set eth0 up
    ip -n "$1" route add default via "10.199.$2.1"
}
connect node1 1
connect node2 2
connect servers 3
for last in 3 4 5 6 7 8 9; do ip -n servers addr add 10.199.3.$last/24 dev eth0; done
for each in filter node1 node2; do ip netns exec $each sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0; done
# What the provider does: return traffic passes to ports from 32768 only. The rest goes to an address that no interface has: a rule
# that drops it on this kernel would be seen as one of the node's.
ip netns exec filter nft -f - <<'RULES'
table ip provider {
    chain prerouting {
        type filter hook prerouting priority -150
        iifname "to-servers" tcp dport < 32768 counter meta mark set 1
    }
}
RULES
ip -n filter link add void type veth peer name beyond
ip -n filter link set beyond up
ip -n filter link set void up
ip -n filter neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev void
ip -n filter route add default via 192.0.2.1 dev void onlink table 100
ip -n filter rule add fwmark 1 table 100
mkdir "$state/served"
ip netns exec servers python3 -m http.server --directory "$state/served" 8080 >"$state/servers.log" 2>&1 &

# The control plane, on node1.
openssl genrsa -out "$state/sa.key" 2048 2>/dev/null
openssl rsa -in "$state/sa.key" -pubout -out "$state/sa.pub" 2>/dev/null
printf 'admin-token,admin,1,"system:masters"\noncall-token,oncall,2\n' >"$state/tokens.csv"
export KUBECONFIG=$state/kubeconfig
cat >"$KUBECONFIG" <<'CONFIG'
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://10.199.1.2:6443", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: admin-token}}]
contexts: [{name: lab, context: {cluster: lab, user: admin}}]
current-context: lab
CONFIG
on_node1() { nsenter --net=/run/netns/node1 "$@"; }
daemon() { # NAME COMMAND...
    local name=$1
    shift
    on_node1 "$@" >"$state/$name.log" 2>&1 &
}
log "control plane"
daemon etcd "$dir/bin/etcd" --data-dir "$state/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
until_true 30 etcd on_node1 curl -sf http://127.0.0.1:2379/health
daemon api "$dir/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --bind-address=10.199.1.2 --advertise-address=10.199.1.2 \
    --secure-port=6443 --insecure-port=0 --cert-dir="$state/certs" --service-cluster-ip-range=10.96.0.0/24 \
    --service-account-key-file="$state/sa.pub" --service-account-signing-key-file="$state/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc --authorization-mode=RBAC --token-auth-file="$state/tokens.csv" \
    --allow-privileged=true --kubelet-preferred-address-types=InternalIP
until_true 60 'the API server' on_node1 kubectl get --raw /readyz
daemon controllers "$dir/bin/kube-controller-manager" --kubeconfig="$KUBECONFIG" --leader-elect=false --port=0 --secure-port=0 \
    --service-account-private-key-file="$state/sa.key" --controllers='*,-nodeipam,-cloud-node-lifecycle'
daemon scheduler "$dir/bin/kube-scheduler" --kubeconfig="$KUBECONFIG" --leader-elect=false --port=0 --secure-port=0

for number in 1 2; do
    nsenter --net=/run/netns/node$number unshare --mount --propagation private "$here/node.sh" $number >"$state/node$number.log" 2>&1 &
done
both_ready() { [ "$(on_node1 kubectl get nodes --no-headers | grep -c ' Ready ')" = 2 ]; }
until_true 120 'both nodes are ready' both_ready
on_node1 kubectl get nodes -o wide >&2
log "up after $SECONDS s"
exec nsenter --net=/run/netns/node1 "$@"
