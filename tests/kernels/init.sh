#!/usr/bin/busybox sh
# PID 1 of a guest, twice: on the ramdisk that the kernel unpacked, where pivot_root(2) fails, and then on a tmpfs; or a unit of systemd's.
# The kernel's command line says what to do: SUITE_INIT, SUITE_PROGRAM, SUITE_ARGS. Results go to the second serial port.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root USER=root ENCAMP_TEST_PROGRAMS=/opt/encamp CARGO=cargo

# suite ARGUMENTS: runs the program; standard output as it comes, standard error after it, and the exit code.
suite() {
    cd /tmp
    { "/opt/encamp/$SUITE_PROGRAM" "$@" 2>/tmp/errors; echo $? >/tmp/code; } >/dev/ttyS1
    sed 's/^/stderr: /' /tmp/errors >/dev/ttyS1
    echo "kernels: exit $(cat /tmp/code)" >/dev/ttyS1
    rm -f /tmp/errors /tmp/code
}

if [ "$1" = after ]; then
    # shellcheck disable=SC2086
    suite $SUITE_ARGS
    echo "kernels: done" >/dev/ttyS1
    poweroff -f
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# What udev makes elsewhere.
ln -s /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%%:*}" "/dev/${stream#*:}"; done
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for module in /*.ko; do insmod "$module"; done
ip link set lo up
hostname -F /etc/hostname

# What is about this root.
[ "$SUITE_INIT $SUITE_PROGRAM" != "script isolation" ] || suite ramdisk:: --test-threads=2

mkdir /after
mount -t tmpfs -o mode=755,size=80% tmpfs /after
for entry in /*; do
    case "$entry" in
    /after | /proc | /sys | /dev) ;;
    *) cp -a "$entry" /after/ ;;
    esac
done
mkdir /after/proc /after/sys /after/dev
if [ "$SUITE_INIT" = systemd ]; then
    umount -l /sys/fs/cgroup
    for entry in proc sys dev; do mount --move "/$entry" "/after/$entry"; done
    exec switch_root /after /usr/lib/systemd/systemd --unit=suite.service
fi
for entry in proc sys dev; do mount --move "/$entry" "/after/$entry"; done
exec switch_root /after /init after
