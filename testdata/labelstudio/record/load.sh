#!/usr/bin/env bash
# Runs hooktail beside a real Label Studio under load and says when each event arrives. See README.md, or load.sh --help.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=venv.sh
. "$here/venv.sh"
if wants_help "$@"; then
	python=${PYTHON:-python3}
else
	python=$(venv_python "$(option_version "$@")")
fi
exec "$python" -B "$here/load.py" "$@"
