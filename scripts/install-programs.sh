#!/usr/bin/env bash
# Copies cofferd and coffer where they changed: install-programs.sh FROM-FOLDER TO-FOLDER. A copy is renamed into place,
# because a program that runs cannot be written to.
set -eu
mkdir -p "$2"
for program in cofferd coffer; do
    if ! cmp -s "$1/$program" "$2/$program"; then
        cp "$1/$program" "$2/$program.new"
        mv "$2/$program.new" "$2/$program"
    fi
done
