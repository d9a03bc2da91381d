#!/usr/bin/env bash
set -euo pipefail
echo "$1 build"
cat vendor/*/version
