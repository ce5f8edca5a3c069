#!/usr/bin/env bash
# Records how the ends of calls show in the stream. See README.md, or endings.sh --help.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=venv.sh
. "$here/venv.sh"
if wants_help "$@"; then
	python=${PYTHON:-python3}
else
	python=$(venv_python "$(option_version "$@")")
fi
exec "$python" -B "$here/endings.py" "$@"
