# Nothing that the checks loaded or made is there any more.

# The kernel frees programs after a grace period: wait for that, not for ever.
tries=50
while left_behind >/tmp/after; ! cmp -s /tmp/before /tmp/after && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
done
if ! cmp -s /tmp/before /tmp/after; then
    fail "left behind after the checks:"
    diff /tmp/before /tmp/after
fi
exit "$failed"
