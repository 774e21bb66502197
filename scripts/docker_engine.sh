#!/usr/bin/env bash
# A Docker Engine of its own for `make test-images`, where none runs: Debian's packages, unpacked and not installed,
# and, where PYTHON_IMAGE can't be pulled, a stand-in of the same name made of Debian's Python.
# Usage: scripts/docker_engine.sh start|stop FOLDER [PYTHON_IMAGE]     Needs root on Debian 12.
set -euo pipefail

action="${1:?start or stop}"
folder="$(realpath -m "${2:?a folder}")"
say() { printf 'engine    %s\n' "$*"; }
fail() { printf 'engine    error: %s\n' "$*" >&2; exit 1; }
pidfile="$folder/docker.pid"

if [ "$action" = stop ]; then
  [ -e "$pidfile" ] || exit 0
  pid="$(cat "$pidfile")"
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  # The engine leaves these behind, and then the folder can't be deleted.
  umount "$folder/exec/netns/default" "$folder/data" 2>/dev/null || true
  exit 0
fi

python_image="${3:?the name of the base image}"
[ "$(id -u)" = 0 ] || fail "root is required to start an engine; you are $(id -un). Start Docker yourself and set DOCKER_HOST."
mkdir -p "$folder/debs" "$folder/root"
if [ ! -x "$folder/root/usr/sbin/dockerd" ]; then
  say "unpacking Debian's docker.io"
  apt-get update -qq
  (cd "$folder/debs" && apt-get download -qq docker.io containerd runc docker-registry mmdebstrap)
  for deb in "$folder"/debs/*.deb; do dpkg -x "$deb" "$folder/root"; done
fi
export PATH="$folder/root/usr/bin:$folder/root/usr/sbin:$folder/root/sbin:$PATH" DOCKER_HOST="unix://$folder/docker.sock"

# No bridge and no firewall rules: builds use the host's network, steps use none.
dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$pidfile" --host "$DOCKER_HOST" \
  --iptables=false --bridge=none --ip-forward=false >"$folder/dockerd.log" 2>&1 &
for _ in $(seq 150); do
  if docker version >/dev/null 2>&1; then break; fi
  sleep 0.2
done
docker version >/dev/null 2>&1 || fail "dockerd does not answer; the end of its log: $(tail -3 "$folder/dockerd.log")"

if ! docker image inspect "$python_image" >/dev/null 2>&1; then
  say "making a stand-in for $python_image"
  # Where the system trusts certificates of its own or has settings for pip, builds need them too.
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3.11-venv,python3-pip \
    --customize-hook='for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
      [ ! -e "$file" ] || cp --remove-destination "$file" "$1$file"; done' \
    bookworm - | docker import - "$python_image" >/dev/null
fi
say "ready at $DOCKER_HOST"
