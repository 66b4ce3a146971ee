#!/bin/bash
# The checks in a cluster of cluster.sh: chart, pods by name, metrics, plugin as a user with few rights, uninstalled without a trace.
set -eu
: "${here:?}" "${state:?}"
chart=$here/../../deploy/chart/snatrace
export PATH=$here/../../deploy/kubectl:$PATH
begin=$SECONDS failures=0
say() { printf '%4d s  %s\n' $((SECONDS - begin)) "$*"; }
pass() { say "PASS  $*"; }
fail() { say "FAIL  $*"; failures=$((failures + 1)); }
check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >/dev/null; then pass "$what"; else fail "$what"; fi
}
# Waits up to two minutes.
eventually() { # WHAT COMMAND...
    local what=$1 end=$((SECONDS + 120))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { fail "$what"; return 0; }
        sleep 1
    done
    pass "$what"
}
lines() { kubectl -n snatrace logs -l app.kubernetes.io/name=snatrace --tail=-1 --prefix=false | grep '^{'; }
has() { lines | jq -se "[.[] | select($1)] | length > 0" >/dev/null; }
# Numbers of the eBPF programs of all snatrace in the cluster: other tests on this machine have theirs.
programs() {
    for pid in $(pgrep -x snatrace); do cat "/proc/$pid"/fdinfo/* 2>/dev/null; done | awk '$1 == "prog_id:" { print $2 }' | sort -un
}
gone_programs() {
    local id
    for id in $attached; do ! bpftool prog show id "$id" || return 1; done
}
kubectl create namespace shop
kubectl create namespace snatrace
# Servers outside the cluster, behind the filter; kube-proxy translates what goes to this service: MASQUERADE --random-fully.
kubectl apply --validate=false -f - <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: payment, namespace: shop}
spec: {clusterIP: 10.96.0.80, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: payment, namespace: shop}
subsets:
  - addresses: [{ip: 10.199.3.2}, {ip: 10.199.3.3}, {ip: 10.199.3.4}, {ip: 10.199.3.5}, {ip: 10.199.3.6}, {ip: 10.199.3.7}, {ip: 10.199.3.8}, {ip: 10.199.3.9}]
    ports: [{port: 8080}]
YAML
client() { # NAME NODE
    kubectl apply --validate=false -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: shop}
spec:
  nodeName: $2
  terminationGracePeriodSeconds: 1
  containers:
    - name: checkout
      image: lab.test/client:1
      args: [-c, "while :; do for i in 1 2 3 4 5 6 7 8; do busybox nc -w 3 10.96.0.80 8080 </dev/null >/dev/null 2>&1 & done; busybox sleep 1; done"]
YAML
}
node_ready() { kubectl -n shop wait --for=condition=Ready --timeout=60s pod --all; }

say "helm install"
helm install snatrace "$chart" --namespace snatrace --set image.repository=lab.test/snatrace --set metrics.enabled=true >/dev/null
eventually 'the DaemonSet is ready on both nodes' kubectl -n snatrace rollout status daemonset/snatrace --timeout=5s
kubectl -n snatrace get pods -o wide
client checkout-1 node1
client checkout-2 node2
check 'clients run on both nodes' node_ready

for number in 1 2; do
    flagged=".kind == \"retransmit\" and .flagged and .pod == \"checkout-$number\" and .namespace == \"shop\" and .container == \"checkout\""
    eventually "node$number flags connections of shop/checkout-$number by name" has "$flagged and .node == \"node$number\""
    check "no other node names shop/checkout-$number" [ -z "$(lines | jq -c "select(.pod == \"checkout-$number\" and .node != \"node$number\")" | head -n 1)" ]
done
eventually 'port out of range is proven' has '.cause == "port_out_of_range" and .evidence_strength == "proven"'

# As a PodMonitor has it: Prometheus finds the pods by their label and port.
cat >"$state/prometheus.yml" <<'YAML'
scrape_configs:
  - job_name: snatrace
    scrape_interval: 1s
    kubernetes_sd_configs:
      - {role: pod, api_server: "https://10.199.1.2:6443", bearer_token: admin-token, tls_config: {insecure_skip_verify: true}}
    relabel_configs:
      - {action: keep, source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], regex: snatrace}
      - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
YAML
prometheus --config.file="$state/prometheus.yml" --storage.tsdb.path="$state/tsdb" --web.listen-address=127.0.0.1:9090 >"$state/prometheus.log" 2>&1 &
found() { # COUNT QUERY
    curl -sfG http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$2" | jq -e ".data.result | length == $1"
}
eventually 'Prometheus scrapes both nodes' found 2 'up{job="snatrace"} == 1'
for number in 1 2; do
    eventually "metrics of node$number name the pod" found 1 "snatrace_source_flagged_attempts_total{node=\"node$number\", source_pod=\"checkout-$number\"} > 0"
done
eventually 'metrics say that it is proven' found 2 'snatrace_policy_evidence{family="ipv4", evidence="proven"} == 1'
detected() {
    local code=0
    "$here/../../deploy/node-problem-detector/check-snatrace" 10.199.1.2:9435 >"$state/detected" || code=$?
    [ $code = 1 ] && grep -q shop/checkout-1 "$state/detected"
}
eventually 'the plugin of node-problem-detector names the pod' detected

say "kubectl snatrace, as a user with the roles of deploy/kubectl/rbac.yaml"
kubectl apply --validate=false -f "$here/../../deploy/kubectl/rbac.yaml" >/dev/null
bind() { kubectl create rolebinding "$@" --user=oncall >/dev/null; }
bind user -n snatrace --role=snatrace-user
bind target -n shop --clusterrole=snatrace-target
sed 's/admin-token/oncall-token/' "$KUBECONFIG" >"$state/oncall"
# The remote snatrace, by the arguments that only the plugin gives.
some() { pgrep -f '^snatrace (tail|record) --host-root /host --until-eof'; }
none() { ! some; }

KUBECONFIG=$state/oncall timeout 60 kubectl snatrace tail -n shop checkout-2 -- -c 3 -o json >"$state/tail.json" 2>"$state/tail.err" || true
check 'tail POD shows only that pod' jq -se '[.[] | select(.kind == "retransmit")] | length == 3 and all(.pod == "checkout-2" and .node == "node2")' "$state/tail.json"
KUBECONFIG=$state/oncall timeout 60 kubectl snatrace doctor node/node1 >"$state/doctor.txt" 2>"$state/doctor.err" || true
check 'doctor names the rule of kube-proxy' grep -q 'KUBE-POSTROUTING' "$state/doctor.txt"
KUBECONFIG=$state/oncall timeout 60 kubectl snatrace record node/node1 -- --duration 5s >"$state/node1.trace" 2>"$state/record.err" || true
kubectl -n snatrace exec -i daemonset/snatrace -- snatrace replay - -o json <"$state/node1.trace" >"$state/replayed.json" || true
check 'record gives a trace that replays with names' jq -se '[.[] | select(.flagged and .pod == "checkout-1" and .node == "node1")] | length > 0' "$state/replayed.json"

KUBECONFIG=$state/oncall kubectl snatrace tail node/node1 >"$state/int.out" 2>&1 &
plugin=$!
eventually 'tail runs on the node' some
kill -TERM $plugin
wait $plugin || true
check 'a signal ends the remote snatrace, which shows its summary' grep -q '^attempts ' "$state/int.out"
KUBECONFIG=$state/oncall kubectl snatrace tail node/node1 >"$state/kill.out" 2>&1 &
plugin=$!
eventually 'tail runs again' some
kill -KILL $plugin
eventually 'nothing stays on the node after kill -9 of the plugin' none

say "a snatrace that is killed, and an upgrade"
kill -KILL "$(pgrep -x snatrace | head -n 1)"
restarted() { kubectl -n snatrace get pods -o json | jq -e '[.items[].status.containerStatuses[] | select(.ready) | .restartCount] | sort == [0, 1]'; }
eventually 'it is started again' restarted
helm upgrade snatrace "$chart" --namespace snatrace --reuse-values --set allow=1024-65535 >/dev/null
upgraded() { [ "$(lines | jq -c 'select(.kind == "capture") | .allowed' | sort | uniq -c | xargs)" = '2 1024-65535' ]; }
# One node after the other, and this kubelet may take a minute to report a pod as gone.
check 'the DaemonSet is upgraded on both nodes' kubectl -n snatrace rollout status daemonset/snatrace --timeout=300s
eventually 'both nodes have the new policy' upgraded

say "helm uninstall"
attached=$(programs)
check "programs are attached until then: $(wc -w <<<"$attached")" [ "$(wc -w <<<"$attached")" -ge 8 ]
helm uninstall snatrace --namespace snatrace --wait >/dev/null
gone() { [ -z "$(kubectl -n snatrace get pods,daemonsets -o name)" ]; }
eventually 'pods and DaemonSet are gone' gone
eventually 'no eBPF program is left' gone_programs
gone_files() { [ -z "$(find "$state"/node?/log "$state"/node?/kubelet/pods /run -name '*snatrace*')" ]; }
eventually 'no file is left on the nodes' gone_files

say "a debugging pod, on a node without the DaemonSet"
bind debug -n snatrace --role=snatrace-debug
kubectl create clusterrolebinding debug --clusterrole=snatrace-debug --user=oncall >/dev/null
KUBECONFIG=$state/oncall timeout 90 kubectl snatrace tail -n shop checkout-1 --image lab.test/snatrace:0.1.0 -- -c 3 -o json >"$state/debug.json" 2>"$state/debug.err" || true
check 'tail POD by a debugging pod' jq -se '[.[] | select(.kind == "retransmit")] | length == 3 and all(.pod == "checkout-1" and .node == "node1")' "$state/debug.json"
eventually 'the debugging pod is gone' gone
KUBECONFIG=$state/oncall kubectl snatrace tail node/node2 --image lab.test/snatrace:0.1.0 >"$state/debug2.out" 2>&1 &
plugin=$!
one() { [ "$(kubectl -n snatrace get pods -o name | wc -l)" = 1 ]; }
eventually 'a debugging pod is started' one
kill -HUP $plugin
wait $plugin || true
eventually 'a hangup while it starts removes it too' gone
none_runs() { ! pgrep -x snatrace; }
eventually 'no snatrace is left' none_runs
say "$failures failures"
[ "$failures" = 0 ]
