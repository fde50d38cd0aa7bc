# The first process of a node: it prepares the node's mounts and sleeps as its init until it is killed,
# which ends everything in the node. Arguments: working directory, node name, the init to become.
set -eu
dir=$1 name=$2 init=$3

# Nothing mounted here may show outside; inside, mounts are shared, as the kubelet expects.
mount --make-rprivate /
mount --make-rshared /
mount -t proc proc /proc
echo "$name" >/proc/sys/kernel/hostname

mount --bind "$dir/varlib" /var/lib
mount --bind "$dir/varlog" /var/log
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock

# The kubelet insists on values of the whole machine's settings. It finds them here and changes none.
for file in "$dir"/sysctl/*; do
  mount --bind "$file" "/proc/sys/$(basename "$file" | tr . /)"
done

# /sys of this network namespace, with the machine's control groups. Private first: an unmount that
# propagates would take the new ones with it.
mount --rbind /sys/fs/cgroup "$dir/cgroup"
mount --make-rprivate "$dir/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
umount -l "$dir/cgroup"
mount --make-rshared /sys

ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
# Whoever asks for what is not here is told so each time, not when a budget allows.
echo 0 >/proc/sys/net/ipv4/icmp_ratelimit

echo ready
exec "$init" </dev/null >/dev/null 2>&1
