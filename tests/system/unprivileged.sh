#!/usr/bin/env bash
# A room like a container's, without an engine for containers: ./unprivileged.sh FOLDER... -- COMMAND...
# The system and FOLDERs (an installation) can be read and not written; there is no network; the user has a number and
# neither name, home nor variables; /job is empty and can be written. Needs root; everything ends with the command.
set -euo pipefail

if [ "${1:-}" != --inside ]; then exec unshare --mount --net --ipc -- bash "${BASH_SOURCE[0]}" --inside "$@"; fi
shift
room=$(mktemp -d)
mount -t tmpfs -o mode=755 none "$room"
show() {
  [ -e "$1" ] || return 0
  if [ -L "$1" ]; then cp -a -- "$1" "$room$1"; return 0; fi
  mkdir -p -- "$room$1"
  mount --rbind -- "$1" "$room$1"
  mount -o "remount,bind,${2:-ro}" "$room$1"
}
for folder in /job /tmp; do
  mkdir -p -- "$room$folder"
  mount -t tmpfs -o mode=1777 none "$room$folder"
done
for folder in /usr /bin /sbin /lib /lib64 /etc; do show "$folder"; done
while [ "$1" != -- ]; do show "$1"; shift; done
shift
show /proc rw
show /dev rw
mount -o remount,ro "$room"
status=0
chroot --userspec=54321:54321 --groups= "$room" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 \
  sh -c 'cd /job && exec "$@"' sh "$@" || status=$?
umount -R -l "$room"
rmdir -- "$room"
exit "$status"
