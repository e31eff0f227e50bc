#!/usr/bin/env bash
# tests/nomad/run.sh on a kernel with cgroup v2 alone, in an emulated machine.
#
#   tests/nomad/guest.sh [SCENARIO…]      as root; results come out as they do from run.sh
#
# ENCAMP_NOMAD, ENCAMP_EXEC2           as for run.sh
# ENCAMP                               the encamp binary (default: target/debug/encamp)
# SERIES                               the kernel's, of Debian's packages (default 6.12)
# PROCESSORS                           how many (default 1; only with 2 does the scenario cores say much)
# GUEST_COMMAND                        what to run in place of run.sh
#
# Wants qemu-system-x86, busybox-static and cpio beside what run.sh wants.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
nomad=${ENCAMP_NOMAD:-$(command -v nomad || true)}
encamp=${ENCAMP:-$repository/target/debug/encamp}
series=${SERIES:-6.12}
if [ -z "$nomad" ]; then
    echo "NOT RUN: there is no nomad binary on PATH, and ENCAMP_NOMAD names none" >&2
    exit 77
fi
scenarios=$*
store=${CARGO_TARGET_DIR:-$repository/target}/nomad
tree=$store/tree
mkdir -p "$store"

kernel=$store/linux-$series
if ! ls "$kernel"/boot/vmlinuz-* >/dev/null 2>&1; then
    mkdir -p "$kernel"
    package=$(apt-cache search --names-only "^linux-image-${series//./\\.}\\.[0-9][^-]*(-[0-9]+)?-cloud-amd64$" | cut -d' ' -f1 | sort -V | tail -1)
    (cd "$kernel" && apt-get download -qq -o APT::Sandbox::User=root "$package" && dpkg -x ./*.deb . && rm ./*.deb)
fi
release=$(ls "$kernel/lib/modules")

# program PATH…: a program with its libraries, at its own place.
program() {
    local path
    for path in "$@"; do
        cp -L --parents "$path" "$tree"
        ldd "$path" 2>/dev/null | grep -o '/[^ ]*' | xargs -r -I{} cp -nL --parents {} "$tree" || true
    done
}

# libraries DIRECTORY…: those of the libraries below it.
libraries() { find "$@" -name '*.so*' -type f -exec ldd {} + 2>/dev/null | grep -o '/[^ ]*' | grep -v ':$' | sort -u | xargs -r -I{} cp -nL --parents {} "$tree" || true; }

# wanted NAME…: whether one of these scenarios is to be played.
wanted() {
    local name
    [ -n "$scenarios" ] || return 0
    for name in "$@"; do [[ " $scenarios " != *" $name "* ]] || return 0; done
    return 1
}

rm -rf "$tree"
mkdir -p "$tree"/{usr/bin,usr/sbin,usr/lib,usr/lib64,usr/share/doc,usr/local/bin,etc,proc,sys,dev,tmp,root,run,var/tmp,var/lib,mnt,srv,opt}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$tree/$link"; done
for name in bash sh cat env head seq stty timeout prlimit readlink xargs ls sleep true id jq curl iptables ip nsenter unshare mount umount script pgrep setsid df grep sed awk find sort comm stat tail tr cut date; do
    found=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin type -P "$name") && program "$(realpath "$(dirname "$found")")/$(basename "$found")"
done
program /usr/bin/python3.11 /usr/lib/cni/* /usr/sbin/xtables-nft-multi
for name in iptables ip6tables; do ln -sf /usr/sbin/xtables-nft-multi "$tree/usr/sbin/$name"; done
cp -a --parents /usr/lib/x86_64-linux-gnu/xtables "$tree" 2>/dev/null || true
ln -sf python3.11 "$tree/usr/bin/python3"
(cd / && find usr/lib/python3.11 -name test -prune -o -name '*dist-packages*' -prune -o -name ensurepip -prune -o -name idlelib -prune -o -type f -print | cpio -pdm --quiet "$tree")
libraries "$tree/usr/lib/python3.11/lib-dynload"
# What the jobs of examples/ run. A JDK is large: only for those who want it.
[ ! -x /usr/sbin/nginx ] || program /usr/sbin/nginx /etc/nginx/mime.types /etc/ssl/openssl.cnf
jdk=$(dirname "$(dirname "$(realpath /usr/bin/javac 2>/dev/null || true)")")
if wanted java examples && [ -x "$jdk/bin/javac" ]; then
    (find "$jdk" /etc/java-*-openjdk \( -name jmods -o -name man -o -name legal -o -name 'src.zip' \) -prune -o -print0 | cpio --null -pdm --quiet "$tree")
    libraries "$jdk"
    for name in java javac; do
        ln -s "$jdk/bin/$name" "$tree/usr/bin/$name"
        program "$jdk/bin/$name"
    done
fi
cp /usr/bin/busybox "$tree/usr/bin/busybox"
for applet in $(busybox --list); do
    [ -e "$tree/usr/bin/$applet" ] || [ -e "$tree/usr/sbin/$applet" ] || ln -s busybox "$tree/usr/bin/$applet"
done
# Where the kernel looks for it.
ln -sf ../bin/busybox "$tree/usr/sbin/modprobe"
for file in os-release passwd group hosts hostname nsswitch.conf protocols services resolv.conf mime.types ld.so.cache; do
    [ ! -e "/etc/$file" ] || cp -L "/etc/$file" "$tree/etc/"
done
printf 'root:*:19000::::::\n' >"$tree/etc/shadow"
(cd "$kernel" && find "lib/modules/$release"/kernel/{net,lib,crypto,drivers/net,fs/overlayfs} "lib/modules/$release"/modules.{order,builtin,builtin.modinfo} -type f -print |
    grep -vE 'drivers/net/(ethernet|wireless|usb)|net/(mac80211|bluetooth|wireless|sctp|sunrpc)' | cpio -pdm --quiet "$tree/usr")
if ls "$tree/usr/lib/modules/$release"/kernel/net/netfilter/*.xz >/dev/null 2>&1; then
    find "$tree/usr/lib/modules" -name '*.ko.xz' -exec xz -d {} +
fi
mkdir -p "$tree/opt/nomad" "$tree/opt/tests"
strip --strip-debug -o "$tree/opt/nomad/encamp" "$encamp"
[ -z "${ENCAMP_EXEC2:-}" ] || cp "$ENCAMP_EXEC2" "$tree/opt/nomad/exec2"
for binary in "$nomad" "$encamp" "${ENCAMP_EXEC2:-}"; do
    ldd "$binary" 2>/dev/null | grep -o '/[^ ]*' | xargs -r -I{} cp -nL --parents {} "$tree" || true
done
cp -r "$here" "$tree/opt/tests/nomad"
cp -r "$repository/examples" "$tree/opt/examples"
# What would take the guest long.
strip -o "$tree/opt/nomad/nomad" "$nomad"
busybox depmod -b "$tree" "$release"
cat >"$tree/init" <<'INIT'
#!/usr/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
if [ "$1" != after ]; then
    # From a ramdisk nobody can pivot_root(2). From a mount of it somebody can.
    mkdir -p /after
    mount --bind / /after
    cd /after && mount --move . / && exec chroot . /init after
fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -s /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%%:*}" "/dev/${stream#*:}"; done
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for module in overlay veth bridge br_netfilter nf_tables nft_compat nft_chain_nat xt_comment xt_conntrack xt_nat xt_MASQUERADE xt_multiport xt_addrtype xt_mark xt_tcpudp; do
    modprobe $module 2>/dev/null || echo "no module $module" >/dev/ttyS1
done
ip link set lo up
ip link add dummy0 type dummy 2>/dev/null
hostname guest
chmod 1777 /tmp /var/tmp
. /settings >/dev/ttyS1 2>&1
echo "guest: exit $?" >/dev/ttyS1
poweroff -f
INIT
cat >"$tree/settings" <<RUN
export ENCAMP_NOMAD=/opt/nomad/nomad ENCAMP=/opt/nomad/encamp ENCAMP_EXEC2=$([ -z "${ENCAMP_EXEC2:-}" ] || echo /opt/nomad/exec2)
export PATIENCE=${PATIENCE:-20} GOGC=400
${GUEST_COMMAND:-/opt/tests/nomad/run.sh $scenarios}
RUN
chmod +x "$tree/init"

(cd "$tree" && find . -mindepth 1 -print0 | cpio --null --create --format=newc --owner=0:0 --quiet >"$store/initramfs")
: >"$store/results"
# One thread: with more, QEMU 7.2 runs the int3 with which the kernel patches itself on the other processor. And then one processor does more
# than two, which wait for each other.
qemu-system-x86_64 -accel tcg,thread=single,tb-size=2048 -cpu max -smp "${PROCESSORS:-1}" -m 4096 -nodefaults -display none -monitor none -nic none -no-reboot \
    -serial "file:$store/console" -serial "file:$store/results" -kernel "$kernel"/boot/vmlinuz-* -initrd "$store/initramfs" \
    -append "console=ttyS0 loglevel=3 panic=-1 rdinit=/init mitigations=off" </dev/null &
machine=$!
trap 'kill $machine 2>/dev/null || true' EXIT
trap 'exit 1' INT TERM
tail -f --pid=$machine "$store/results" | sed -u 's,\r,,' &
wait $machine $! || true
grep -q '^guest: exit 0' "$store/results" || { tail -5 "$store/console"; exit 1; }
