# With kprobes every hook is on.

echo "== hooks"
[ -e /sys/bus/event_source/devices/kprobe/type ] || fail "this kernel has no kprobes"
cat >/tmp/hooks.sh <<'END'
. /tmp/lib.sh
capture -- true | head -n 1 >/tmp/hooks.json
END
snatrace demo fully_random -n 1 -- sh /tmp/hooks.sh || fail "no capture in a lab"
on=$(grep -o '"off":null' /tmp/hooks.json | wc -l)
echo "$on hooks are on"
[ "$on" -eq 6 ] && ! grep -q '"off":"' /tmp/hooks.json || fail "a hook is off: $(cat /tmp/hooks.json)"
