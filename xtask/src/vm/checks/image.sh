# The container image, where one was given: its snatrace judges right with nothing but the image's files, and its tools run.

if [ -d /image ]; then
    echo "== the image"
    for dir in proc sys dev run tmp; do mkdir -p "/image/$dir" && mount -o rbind "/$dir" "/image/$dir"; done
    # A capture starts the lab's clients.
    cp /usr/sbin/snatrace-lab /image/usr/sbin/
    # Again for each run: the namespaces of a lab are mounts below /run.
    printf '#!/bin/sh\nmount -o rbind /run /image/run\nexec chroot /image /usr/bin/snatrace "$@"\n' >/tmp/snatrace-of-image
    chmod +x /tmp/snatrace-of-image
    SNATRACE_BIN=/tmp/snatrace-of-image snatrace-lab demo fully_random -n 200 || fail "the image: exit code $?"
    chroot /image /usr/sbin/nft list tables && chroot /image /usr/sbin/iptables-save >/dev/null || fail "the image's tools"
fi
