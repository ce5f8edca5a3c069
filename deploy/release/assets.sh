#!/bin/sh
# What an archive has beside the program, and the notes of the release:
#
#     deploy/release/assets.sh DIRECTORY [TAG]
#
# makes DIRECTORY anew: man/ with the manual pages, completions/ with a file for
# each shell, notes.md with the part of CHANGELOG.md that speaks of the tag.
set -eu

cd -- "$(dirname -- "$0")/../.."
directory=$1
tag=${2:-}

rm -rf -- "$directory"
mkdir -p -- "$directory/completions"
go build -o "$directory/hooktail$(go env GOEXE)" ./cmd/hooktail
"$directory/hooktail" man "$directory/man"
for shell in bash zsh fish powershell; do
	"$directory/hooktail" completion "$shell" >"$directory/completions/hooktail.$shell"
done
rm -- "$directory/hooktail$(go env GOEXE)"

# From the heading "## [1.2.3]" to the next one.
awk -v heading="## [${tag#v}]" '
	index($0, heading) == 1 { found = 1; next }
	/^## / { found = 0 }
	found
' CHANGELOG.md >"$directory/notes.md"
