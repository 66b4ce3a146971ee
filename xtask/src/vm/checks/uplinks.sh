# Uplinks other than plain Ethernet: with a VLAN tag, with two, and without a link header.

cat >/tmp/uplinks.sh <<'END'
. /tmp/lib.sh
address() { ip -n "$1" -o -4 address show dev "$2" | awk '{ print $4 }'; }
at_node=$(address "$node" eth0) at_router=$(address "$router" node0)

# NAMESPACE DEVICE: makes `up0`, the uplink, on top of the device.
make() {
    case $kind in
    vlan) ip -n "$1" link add link "$2" name up0 type vlan id 100 ;;
    qinq)
        ip -n "$1" link add link "$2" name outer type vlan proto 802.1ad id 200
        ip -n "$1" link set outer up
        ip -n "$1" link add link outer name up0 type vlan id 100
        ;;
    wireguard) ip -n "$1" link add up0 type wireguard ;;
    esac
}
# NAMESPACE DEVICE ADDRESS: moves the address to it.
move() {
    make "$1" "$2" && ip -n "$1" address flush dev "$2" && ip -n "$1" address add "$3" dev up0 && ip -n "$1" link set up0 up
}
# NAMESPACE DEVICE OWN PEER: the tunnel's own ends, with the keys of both.
tunnel() {
    ip -n "$1" address add "192.0.2.$3/24" dev "$2"
    ip netns exec "$1" wg set up0 listen-port 51820 private-key "/tmp/key$3" \
        peer "$(wg pubkey <"/tmp/key$4")" endpoint "192.0.2.$4:51820" allowed-ips 0.0.0.0/0
}

play() {
    move "$node" eth0 "$at_node" && move "$router" node0 "$at_router" || return 1
    if [ "$kind" = wireguard ]; then
        (umask 077 && wg genkey >/tmp/key1 && wg genkey >/tmp/key2)
        tunnel "$node" eth0 1 2 && tunnel "$router" node0 2 1 || return 1
    fi
    ip -n "$node" route replace default via "${at_router%/*}" dev up0 || return 1

    # The uplink itself, found by its default route, and below it the interface that sees the tags.
    case $kind in
    wireguard) capture -- sh /tmp/traffic.sh >/tmp/up.json && cp /tmp/up.json /tmp/below.json ;;
    *) capture -- sh /tmp/below.sh >/tmp/up.json ;;
    esac
    ports_failed /tmp/truth >/tmp/due
    for told in /tmp/up.json /tmp/below.json; do
        # What leaves by a tunnel for a private address passes no provider's filter: nothing is flagged, and no answer is the cause.
        case $kind in
        wireguard)
            cause=no_answer
            ports_flagged "$told" | cmp - /dev/null || return 1
            ;;
        *) cause=port_out_of_range ;;
        esac
        ports_caused "$told" "$cause" | cmp - /tmp/due || return 1
        echo "$kind: $(wc -l </tmp/due) failed, each was seen leaving and has the cause $cause"
    done
    [ -s /tmp/due ] || return 1
    for link in up0 outer; do
        for namespace in "$node" "$router"; do ip -n "$namespace" link delete "$link" 2>/dev/null || true; done
    done
}

for kind in vlan qinq wireguard; do play || { echo "$kind: not every failed connection was reported"; exit 1; }; done
END
echo 'snatrace-lab traffic -n 40 --truth /tmp/truth' >/tmp/traffic.sh
echo '. /tmp/lib.sh; capture --iface eth0 -- sh /tmp/traffic.sh >/tmp/below.json' >/tmp/below.sh
echo "== uplinks"
snatrace-lab demo fully_random -n 1 -- sh /tmp/uplinks.sh || fail "an uplink other than plain Ethernet"
