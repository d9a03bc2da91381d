#!/usr/bin/env bash
# Stands in for a package manager: slow, and its result depends on the lock file alone.
set -euo pipefail
mkdir -p "$2"
while read -r name version; do
  echo "fetching $name $version"
  sleep 0.3
  mkdir -p "$2/$name"
  echo "$version" > "$2/$name/version"
done < "$1"
touch "$2/ready"
