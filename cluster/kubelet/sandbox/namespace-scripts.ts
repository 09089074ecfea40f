/**
 * The shell scripts of the namespaces sandbox. They are fixed texts: whatever varies is an argument, never part of a
 * script, so that no name of a pod can become code. Tools stand in them by absolute path.
 */
import { RANGE_OPTIONS } from "./id-ranges.ts";
import { EXEC_SCRIPT } from "./command-scripts.ts";
import type { Tools } from "./tools.ts";

export interface NamespaceScripts {
  /** PID 1: starts podhost, reaps orphans, hands SIGTERM on. */
  readonly init: string;
  /** `DIR GATEWAY/LEN SERVICE_RANGE SIBLING_RANGE ETC_NAMES_FILE FSTAB [NODE_ADDRESS …]`. */
  readonly setUp: string;
  /** `DIR UID INTERFACE|host ADDRESS GATEWAY MAC HOSTNAME [MEMORY_VOLUME OPTIONS …]`. What pods send goes by the gateway. */
  readonly podUp: string;
  /** `DIR UID INTERFACE`. */
  readonly podDown: string;
  /** `FSTAB ROOT UID GID ID_MAPPERS|- ROOT_OPTIONS|- PRIVILEGES PROCESS_LIMIT|- WORKING_DIR COUNT [NAME=value …] COMMAND …`. */
  readonly container: string;
  /** Stays outside the new process namespace and ends as its first process: `unshare --fork` loses the signal. */
  readonly wait: string;
  /** `VOLUME FILE|- PART …`: makes a directory in a memory volume, through no link, and an empty file in it. */
  readonly inMemory: string;
  /** `WORKING_DIR COMMAND …`. */
  readonly exec: string;
}

export function namespaceScripts(tools: Tools): NamespaceScripts {
  const { unshare, nsenter, mount, umount, pivot_root: pivotRoot, setpriv, ip, sh } = tools;
  const setHostname = tools.hostname === undefined ? "true" : `${tools.hostname} "$7"`;
  return {
    init: `
"$@" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM
trap '' INT HUP
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || exit "$code"
done`,
    setUp: `
set -e
umask 022
${mount} -t tmpfs -o mode=755,nosuid tmpfs "$1"
cd "$1"
mkdir net uts ipc etc dev dev/shm dev/pts dev/mqueue pods empty
for name in null zero full random urandom tty; do : > "dev/$name"; done
: > dev/termination-log
: > dev/console
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
cd etc
while IFS= read -r name; do
  [ -L "/etc/$name" ] && continue
  if [ -d "/etc/$name" ]; then mkdir "$name"; elif [ -f "/etc/$name" ]; then : > "$name"; fi
done <"$5"
cd ..
${mount} -a -T "$6"
${ip} -batch - <<END
link set lo up
link add br0 address 02:00:00:00:00:01 type bridge
addr add $2 dev br0
link set br0 up
route add local $3 dev lo
route add local $4 dev lo
END
# What pods send each other is routed here; of an address that is nowhere they hear at once.
echo 1 > /proc/sys/net/ipv4/ip_forward
for name in all default br0; do echo 0 > "/proc/sys/net/ipv4/conf/$name/send_redirects"; done
{ echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables; } 2>/dev/null || true
shift 6
for address; do ${ip} addr add "$address/32" dev br0; done`,
    podUp: `
set -e
cd "$1"
uid=$2 link=$3
: > "net/$uid"
: > "uts/$uid"
: > "ipc/$uid"
mkdir -p "pods/$uid/shm" "pods/$uid/mem"
chmod 1777 "pods/$uid/shm"
if [ "$link" = host ]; then
  ${unshare} "--uts=uts/$uid" "--ipc=ipc/$uid" ${setHostname}
else
  ${unshare} "--net=net/$uid" "--uts=uts/$uid" "--ipc=ipc/$uid" ${setHostname}
  ${ip} -batch - <<END
link add $link type veth peer name eth0 address $6 netns ./net/$uid
link set $link master br0 up
END
  ${nsenter} "--net=net/$uid" ${sh} -c '
    { echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start; echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; } 2>/dev/null
    exec "$@"' sh ${ip} -batch - <<END
link set lo up
addr add $4/32 dev eth0
link set eth0 up
route add $5 dev eth0 scope link
route add default via $5
END
fi
shift 7
while [ $# -gt 1 ]; do
  mkdir -p "pods/$uid/mem/$1"
  ${mount} -t tmpfs -o "$2" tmpfs "pods/$uid/mem/$1"
  shift 2
done`,
    podDown: `
cd "$1"
[ "$3" = host ] || ${ip} link del "$3" 2>/dev/null
for kind in net uts ipc; do ${umount} -l "$kind/$2" 2>/dev/null; rm -f "$kind/$2"; done
for volume in "pods/$2/mem/"*; do ${umount} -l "$volume" 2>/dev/null; done
rm -rf "pods/$2"`,
    container: `
fail() { printf '%s\\n' "$*" >&3; exit 128; }
said=$(${mount} -a -T "$1" 2>&1) || fail "mounting the container's volumes: $said"
while IFS=' ' read -r target options; do
  ${mount} -o "remount,bind,$options" "$target" || fail "making $target read-only"
done < "$1.remount"
cd "$2" && ${pivotRoot} . .travelops/old || fail "entering the container's root"
cd / && ${umount} -l /.travelops/old || fail "leaving the host's root"
[ "$6" = - ] || ${mount} -o "remount,bind,$6" / || fail "making the root read-only"
uid=$3 gid=$4 mappers=$5 privileges=$7 processes=$8
shift 8
set -- ${sh} -c "$TRAVELOPS_ENTER" sh "$@"
[ -z "$privileges" ] || set -- ${setpriv} $privileges "$@"
[ "$processes" = - ] || set -- ${tools.prlimit ?? "prlimit"} "$processes" "$@"
if [ "$mappers" != - ]; then
  TRAVELOPS_PATH=$PATH PATH=$mappers
  export TRAVELOPS_PATH PATH
  exec ${unshare} -U ${RANGE_OPTIONS.join(" ")} -m -- ${sh} -c "$TRAVELOPS_AS_ROOT" sh "$uid:$gid" "$@"
fi
exec ${unshare} -U "--map-user=$uid" "--map-group=$gid" -m -- "$@"`,
    wait: `
exec 4>&2 2>/dev/null
(
  exec 2>&4 4>&-
  exec "$@"
)
exit $?`,
    inMemory: `
cd "$1" || exit 1
file=$2
shift 2
for part; do
  [ ! -L "$part" ] || { echo "$part is a symbolic link" >&2; exit 1; }
  [ -d "$part" ] || mkdir "$part" || exit 1
  chmod 777 "$part" 2>/dev/null
  cd -P "./$part" || exit 1
done
[ "$file" = - ] && exit 0
[ ! -L "./$file" ] || { echo "$file is a symbolic link" >&2; exit 1; }
[ -e "./$file" ] || : > "./$file"`,
    exec: EXEC_SCRIPT,
  };
}
