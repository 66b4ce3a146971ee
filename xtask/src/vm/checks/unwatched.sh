# Where no interface can be watched (before TCX that takes a module), the rest goes on and says so.
cat >/tmp/unwatched.sh <<'END'
. /tmp/lib.sh
capture -- snatrace-lab traffic -n 40 --truth /tmp/unwatched.truth >/tmp/unwatched || exit 1
grep -q '"hook":"wire","off":"cannot watch interface eth0: ' /tmp/unwatched || { head -n 1 /tmp/unwatched; exit 1; }
ports_failed /tmp/unwatched.truth >/tmp/unwatched.due
grep '"flagged":true' /tmp/unwatched | sed 's/.*"src_port":\([0-9]*\).*/\1/' | sort -u | cmp - /tmp/unwatched.due || exit 1
echo "$(wc -l </tmp/unwatched.due) failed, each is flagged from kprobes alone"
[ -s /tmp/unwatched.due ] || exit 1
# Who names an interface wants it watched.
! capture --iface eth0 -- true || exit 1
qdiscs() { ip netns exec "$node" tc qdisc show dev eth0 | grep -c "$1"; }
echo "left behind: $(qdiscs clsact) qdiscs"
[ "$(qdiscs clsact)" -eq 0 ] || exit 1
# An ingress qdisc would show packets that leave none of the programs.
ip netns exec "$node" tc qdisc add dev eth0 ingress
! capture --iface eth0 -- true 2>/tmp/unwatched.err || exit 1
cat /tmp/unwatched.err
grep -q 'it has an ingress qdisc' /tmp/unwatched.err && [ "$(qdiscs ingress)" -eq 1 ]
END
case $(uname -r) in
5.* | 6.1.*)
    echo "== no interface can be watched"
    module=$(find /lib/modules -name 'cls_bpf.ko*')
    rmmod cls_bpf && mv "$module" /tmp/ || fail "cls_bpf is in use"
    snatrace-lab demo fully_random -n 1 -- sh /tmp/unwatched.sh || fail "the other hooks do not work without wire"
    mv "/tmp/$(basename "$module")" "$module"
    ;;
esac
