#!/usr/bin/env bash
# Sets up what is missing: Python packages from the lock, system libraries, the BlazeFace files.
# Usage: scripts/setup.sh [cpu|gpu]     Needs Python 3.11 and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

extra="${1:-cpu}"
uv_version=0.13.9
mediapipe_with_models=0.10.21
say() { printf 'setup     %s\n' "$*"; }
fail() { printf 'setup     error: %s\n' "$*" >&2; exit 1; }

python="$(command -v python3.11 || command -v python3 || true)"
[ -n "$python" ] || fail "Python 3.11 is required; found none. On Debian: apt-get install python3.11 python3.11-venv"
version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
[ "$version" = 3.11 ] || fail "Python 3.11 is required; found $version at $python."

# Installs Debian packages as root; otherwise stops with the command to type.
need_packages() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing system libraries: $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  else
    fail "system libraries are missing. On Debian or Ubuntu: sudo apt-get update && sudo apt-get install -y $*"
  fi
}

has_library() { "$python" -c "import ctypes, sys; ctypes.CDLL(sys.argv[1])" "$1" 2>/dev/null; }

"$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3.11-venv
missing=()
for pair in libEGL.so.1:libegl1 libGLESv2.so.2:libgles2 libGL.so.1:libgl1 libglib-2.0.so.0:libglib2.0-0; do
  has_library "${pair%%:*}" || missing+=("${pair##*:}")
done
[ ${#missing[@]} = 0 ] || need_packages "${missing[@]}"

if [ ! -x ".tools/bin/uv" ] || [ "$(.tools/bin/uv --version | cut -d' ' -f2)" != "$uv_version" ]; then
  say "installing uv $uv_version"
  "$python" -m venv --clear .tools
  .tools/bin/pip install --quiet --disable-pip-version-check "uv==$uv_version"
fi

# Where the system trusts certificates of its own (a company's proxy), uv should too.
certificates=()
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || certificates=(--system-certs)
say "installing Python packages from uv.lock (extra $extra; about 2.5 GB in .venv)"
.tools/bin/uv sync --quiet --frozen ${certificates[@]+"${certificates[@]}"} --python "$python" --extra "$extra" --group dev

# mediapipe's later wheels carry no models, so the two files come out of an older one, which is not installed.
models=.models/blazeface
if ! .venv/bin/python -m expressnet.faces.blazeface check "$models" 2>/dev/null; then
  say "fetching the BlazeFace models"
  download="$(mktemp -d)"
  trap 'rm -rf "$download"' EXIT
  .tools/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
    --platform manylinux_2_28_x86_64 --dest "$download" "mediapipe==$mediapipe_with_models"
  .venv/bin/python -m expressnet.faces.blazeface unpack "$download"/mediapipe-*.whl "$models"
fi
say "ready"
