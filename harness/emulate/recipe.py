"""What an emulated board is made of: packages, kernel modules, and the handful of files that replace a boot system.

An image is named after a hash of this file and of the builder's other sources (see
:mod:`harness.emulate.systems`), so any change here builds a new one.
"""

from __future__ import annotations

#: Debian release of the userland, and the Python that comes with it.
SUITE = "bookworm"
PYTHON = (3, 11)

#: Only what a Python inference runtime and an SSH login need; dependencies come along by themselves.
PACKAGES = (
    "base-files",
    "base-passwd",
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "libc-bin",
    "libstdc++6",
    "mount",
    "openssh-server",
    "openssh-sftp-server",
    "procps",
    "python3",
    "sed",
    "tar",
    "util-linux",
)

#: Unpacked by mmdebstrap but of no use on a board that nobody configures or reads manuals on.
LEFT_OUT = (
    "boot/",
    "dev/",
    "usr/lib/klibc/",
    "usr/lib/linux-image-",
    "usr/lib/modules/",
    "usr/lib/systemd/",
    "usr/lib/udev/",
    "usr/share/bash-completion/",
    "usr/share/doc/",
    "usr/share/i18n/",
    "usr/share/info/",
    "usr/share/initramfs-tools/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/perl",
    "var/cache/apt/",
    "var/lib/apt/",
    "var/lib/dpkg/info/",
)
#: The same below the folder of libraries.
LEFT_OUT_OF_LIBRARIES = ("gconv/", "perl", "libperl")

#: In the order they are loaded; one that the kernel has built in is passed over.
MODULES = (
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_mmio.ko",
    "drivers/block/virtio_blk.ko",
    "net/core/failover.ko",
    "drivers/net/net_failover.ko",
    "drivers/net/virtio_net.ko",
    "drivers/char/hw_random/virtio-rng.ko",
    "lib/crc16.ko",
    "crypto/crc32c_generic.ko",
    "fs/mbcache.ko",
    "fs/jbd2/jbd2.ko",
    "fs/ext4/ext4.ko",
)

#: Size the root file system appears to have, in MiB. The file is sparse: only what is used takes room.
ROOT_MIB = 1536

#: Serial numbers by which the board tells its two disks apart (virtio-mmio probes them in no promised order).
ROOT_SERIAL = "harness-root"
STORE_SERIAL = "harness-store"

USER = "bench"
UID = 1000
#: Where the persistent disk appears; the deployer keeps artifacts and runtimes under it.
STORE_MOUNT = f"/home/{USER}/.cache/harness"

INITRAMFS_INIT = f"""#!/bin/busybox sh
PATH=/bin; export PATH
busybox mount -t devtmpfs dev /dev
busybox mount -t sysfs sys /sys
for module in $(busybox cat /modules/order); do busybox insmod /modules/$module; done
tries=0
while :; do
    for disk in /sys/block/vd*; do
        case $(busybox cat $disk/serial 2>/dev/null) in
            {ROOT_SERIAL}) root=/dev/${{disk##*/}};;
            {STORE_SERIAL}) store=/dev/${{disk##*/}};;
        esac
    done
    [ -n "$root" ] && [ -n "$store" ] && break
    tries=$((tries + 1))
    [ $tries -lt 200 ] || {{ echo "harness: the disks did not appear"; busybox poweroff -f; }}
    busybox usleep 50000
done
busybox mount -t ext4 -o noatime $root /root || {{ echo "harness: no root file system"; busybox poweroff -f; }}
busybox mount -t ext4 -o noatime,nosuid,nodev $store /root{STORE_MOUNT} || echo "harness: the store can't be mounted"
busybox umount /sys
busybox mount --move /dev /root/dev
exec busybox switch_root /root /bin/busybox init
"""

#: Runs once, as root, before sshd. The clock of the machine is read by the kernel itself.
START = f"""#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755,nosuid,nodev run /run
mkdir -p /dev/pts /dev/shm /run/sshd
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
chmod 600 /dev/ttyAMA0
busybox hostname -F /etc/hostname
busybox ip link set lo up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
chown {UID}:{UID} {STORE_MOUNT}
"""

#: Reads orders from the serial line, which only the process that started QEMU holds. It is how a board is switched off
#: without giving its user any rights.
CONTROL = f"""#!/bin/sh
while read -r order; do
    case $order in
        off) busybox killall -q sshd; sync
             umount {STORE_MOUNT} 2>/dev/null || mount -o remount,ro {STORE_MOUNT}
             busybox poweroff -f;;
    esac
done
"""

INITTAB = """::sysinit:/etc/harness/start
::respawn:/usr/sbin/sshd -D -e
ttyAMA0::respawn:/etc/harness/control
"""

#: Timeouts are off: on a busy machine a board may be very slow, and its clock is not ours. PAM is off: its files would
#: have to be configured on the board. One plain key exchange: the post-quantum default costs a second of emulation per
#: login and protects nothing on loopback.
SSHD_CONFIG = f"""HostKey /etc/ssh/ssh_host_ed25519_key
AllowUsers {USER}
AuthorizedKeysFile /etc/ssh/authorized_keys .ssh/authorized_keys
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
LoginGraceTime 0
TCPKeepAlive no
ClientAliveInterval 0
MaxStartups 100
MaxSessions 100
PrintMotd no
PrintLastLog no
X11Forwarding no
AllowTcpForwarding no
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
Subsystem sftp internal-sftp
"""

#: path -> (mode, content); all owned by root. The host key and the client's public key are added by the builder.
FILES: dict[str, tuple[int, str]] = {
    "etc/harness/start": (0o755, START),
    "etc/harness/control": (0o755, CONTROL),
    "etc/inittab": (0o644, INITTAB),
    "etc/ssh/sshd_config": (0o644, SSHD_CONFIG),
    "etc/hostname": (0o644, "board\n"),
    "etc/hosts": (0o644, "127.0.0.1 localhost\n127.0.1.1 board\n"),
    "etc/resolv.conf": (0o644, ""),
    "etc/fstab": (0o644, ""),
    "etc/shells": (0o644, "/bin/sh\n/bin/bash\n"),
    "etc/nsswitch.conf": (0o644, "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
    "etc/environment": (0o644, ""),
    "etc/passwd": (
        0o644,
        "root:x:0:0:root:/root:/bin/bash\n"
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        f"{USER}:x:{UID}:{UID}:benchmark user:/home/{USER}:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    "etc/group": (0o644, f"root:x:0:\ntty:x:5:\n{USER}:x:{UID}:\nnogroup:x:65534:\n"),
    # '*' is no password that anything hashes to; '!' would make sshd call the account locked
    "etc/shadow": (0o600, f"root:*:19700:0:99999:7:::\nsshd:*:19700::::::\n{USER}:*:19700:0:99999:7:::\n"),
}

#: Folders that must be there; those under /home belong to the user.
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "root", "var/tmp", "home", f"home/{USER}", STORE_MOUNT[1:])
