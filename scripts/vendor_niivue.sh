#!/usr/bin/env bash
# Fetch the viewer library that the page carries, or check the copy that is here.
#
#   scripts/vendor_niivue.sh           fetch it with npm, check it against the sums below, put it in place
#   scripts/vendor_niivue.sh --check   check the copy in place; needs no network
#
# The file is the package's own self-contained build, unchanged. LICENSE holds its licence and those of the packages
# that are built into it.
set -euo pipefail

version=0.69.0
package_sum=6e9a6a471b428eb3b258a0086beca9187d95e43a781a39e8a519c6da246af485
build_sum=d6c2be4feb1ad53b2ac76b4196da8d8fd2263b662b511c55ca0fd127eb6a6532
license_sum=7fdc3dd6bba1f3f3c50ea15f0b90a04a9629b0ea4524bb5e698f0656f3e3b9c9
built_in=(
  fflate@0.8.2 gl-matrix@3.4.3 nifti-reader-js@0.8.0 zarrita@0.5.0 numcodecs@0.3.2 @ungap/structured-clone@1.2.0
  array-equal@1.0.2 @lukeed/uuid@2.0.1
)
target="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/agent/web/static/vendor/niivue"

expect() { # sum file
  echo "$1  $2" | sha256sum --check --status || {
    echo "$2 does not have the SHA-256 $1; fetch it again, or change the sum in this script if the version changed." >&2
    exit 1
  }
}

check() {
  expect "$build_sum" "$target/niivue.js"
  expect "$license_sum" "$target/LICENSE"
  diff <(record) "$target/VERSION" >&2 || { echo "$target/VERSION does not say what is there." >&2; exit 1; }
  echo "NiiVue $version is as it was published."
}

record() {
  echo "@niivue/niivue $version dist/index.js"
  echo "sha256 $build_sum niivue.js"
  echo "sha256 $license_sum LICENSE"
}

# npm wants to be told where to write; what it fetches is a gzipped tar with one folder.
unpack() { # package folder
  mkdir -p "$2"
  local file
  file="$(cd "$2" && npm pack --silent "$1")"
  [ "${3:-}" = "" ] || expect "$3" "$2/$file"
  tar -xzf "$2/$file" -C "$2" --strip-components=1
}

licenses() { # work folder
  # The package's own licence is in its repository only; it has not changed since 2021.
  sed '/^Built into/,$d' "$target/LICENSE"
  local name
  for name in "${built_in[@]}"; do
    unpack "$name" "$1/$name"
    printf 'Built into niivue.js: %s\n\n' "$name"
    cat "$(find "$1/$name" -maxdepth 1 -iname 'licen[sc]e*' | head -1)"
    printf '\n'
  done
}

if [ "${1:-}" = "--check" ]; then
  check
  exit
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
unpack "@niivue/niivue@$version" "$work/niivue" "$package_sum"
licenses "$work" > "$work/LICENSE"
install -m 644 "$work/niivue/dist/index.js" "$target/niivue.js"
install -m 644 "$work/LICENSE" "$target/LICENSE"
record > "$target/VERSION"
check
