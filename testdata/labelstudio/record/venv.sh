# Sourced by record.sh and live.sh: makes the virtual environment of one Label Studio version.
#
# venv_python VERSION prints the path of a Python that has that version of Label Studio. The environment is kept
# in a cache folder and used again; a marker file says that the installation came to its end.

venv_cache() {
	printf '%s\n' "${LABELSTUDIO_RECORD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hooktail-record}"
}

venv_python() {
	local version=$1 venv
	venv="$(venv_cache)/venv-$version"
	if [ ! -e "$venv/.complete" ]; then
		echo "installing label-studio $version into $venv (about 1 GB, a few minutes)" >&2
		"${PYTHON:-python3}" -m venv "$venv" >&2
		nice -n 10 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
			"label-studio==$version" >&2
		touch "$venv/.complete"
	fi
	printf '%s\n' "$venv/bin/python"
}

# option_version ARGS... prints the value of --version, or the default.
option_version() {
	local version=1.23.2
	while [ $# -gt 0 ]; do
		case $1 in
		--version) version=${2:?--version needs a value} ;;
		--version=*) version=${1#--version=} ;;
		esac
		shift
	done
	printf '%s\n' "$version"
}

# wants_help ARGS... is true when the options ask for help, which needs no Label Studio.
wants_help() {
	local argument
	for argument in "$@"; do
		case $argument in -h | --help) return 0 ;; esac
	done
	return 1
}
