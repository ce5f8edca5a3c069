#!/usr/bin/env bash
# Records the scenarios of testdata/labelstudio anew from a real Label Studio. See README.md, or record.sh --help.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=venv.sh
. "$here/venv.sh"
if wants_help "$@"; then
	python=${PYTHON:-python3}
else
	python=$(venv_python "$(option_version "$@")")
fi
exec "$python" -B "$here/record.py" "$@"
