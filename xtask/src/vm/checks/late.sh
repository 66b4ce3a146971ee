# nf_nat is a module here, loaded by the first rule that needs it: the hooks on it attach while the capture runs.

echo "== nf_nat loaded after the start"
[ ! -e /sys/module/nf_nat ] || fail "nf_nat is already loaded, so no hook attaches late"
cat >/tmp/late.sh <<'END'
. /tmp/lib.sh
is_on() { grep -q "$1 is on" /tmp/late.err; }
until_true is_on nat_bind && until_true is_on nat_select || exit 1
snatrace-lab traffic -n 40 --truth /tmp/late.truth
END
snatrace tail --all -o json --ready-file /tmp/late.ready >/tmp/late.json 2>/tmp/late.err &
late=$!
. /tmp/lib.sh
until_true [ -e /tmp/late.ready ] && snatrace-lab demo fully_random -n 1 -- sh /tmp/late.sh || fail "the hooks did not attach"
kill -INT "$late"
wait "$late"
cat /tmp/late.err
due=$(grep -c '"ok":false' /tmp/late.truth)
told=$(grep '"kind":"ended"' /tmp/late.json | grep '"flagged":true' | grep -c '"nat_mode":"fully_random"')
waited=$(head -n 1 /tmp/late.json | grep -o 'is not loaded yet' | wc -l)
echo "$waited hooks waited, $due connections failed, $told of them flagged with the mode of their rule"
[ "$waited" -eq 2 ] && [ "$due" -gt 0 ] && [ "$told" -eq "$due" ] || fail "hooks that attach late missed failed connections"
