#!/bin/sh
# First process of the guest: mounts, lets the kernel load its own modules, runs /script, reports, powers off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/busybox HOME=/root TERM=dumb NO_COLOR=1
/usr/sbin/busybox mkdir -p /proc /sys /dev /tmp /run /root /var /usr/bin /busybox
/usr/sbin/busybox --install -s /busybox
mount -t devtmpfs dev /dev
# The archive holds no device nodes, so the kernel gave this process no console.
exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS0 -onlcr
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
ln -s /run /var/run
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs trace /sys/kernel/tracing
mount -t debugfs debug /sys/kernel/debug
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/mounts /etc/mtab
# tun has no other way in than its device node.
modprobe tun 2>/dev/null
hostname -F /etc/hostname
ip link set lo up
echo "SNATRACE-VM-BEGIN $(uname -r)"
sh /script
echo "SNATRACE-VM-EXIT $?"
sync
poweroff -f
