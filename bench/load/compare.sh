#!/usr/bin/env bash
# Compares stratos-server's proxy with nginx, HAProxy and Go's ReverseProxy; --help says how.
set -euo pipefail
command -v python3 >/dev/null || { echo "compare.sh: the Debian package python3 is missing" >&2; exit 77; }
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/compare.py" "$@"
