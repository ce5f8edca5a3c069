#!/usr/bin/env bash
# Records what an upgrade of Label Studio does to the rows of a database. See README.md, or upgrade.sh --help.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=venv.sh
. "$here/venv.sh"
if wants_help "$@"; then
	exec "${PYTHON:-python3}" -B "$here/upgrade.py" "$@"
fi
from=1.20.0
arguments=()
while [ $# -gt 0 ]; do
	case $1 in
	--from) from=${2:?--from needs a version} && shift 2 ;;
	--from=*) from=${1#--from=} && shift ;;
	*) arguments+=("$1") && shift ;;
	esac
done
later=$(venv_python "$(option_version "${arguments[@]}")")
earlier=$(venv_python "$from")
exec "$later" -B "$here/upgrade.py" --from "$from" --python "$earlier" "${arguments[@]}"
