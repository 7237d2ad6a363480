#!/bin/sh
# Fetch the page of the API's documentation from npm again, and compare it with what the repository holds.
# With "write" as argument, the repository's copy is replaced.
set -eu
VERSION=5.35.0
HERE=$(cd "$(dirname "$0")/.." && pwd)/agent/web/static/vendor/swagger-ui
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"
npm pack "swagger-ui-dist@$VERSION" --silent >/dev/null
tar xzf "swagger-ui-dist-$VERSION.tgz"
cd package
# The maps are not vendored, and a browser's tools would ask for them.
sed -i '/^\/\/# sourceMappingURL/d' swagger-ui-bundle.js
sed -i 's#/\*\# sourceMappingURL=.*\*/##' swagger-ui.css
if [ "${1:-}" = write ]; then
    cp swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE "$HERE/"
    { echo "swagger-ui-dist $VERSION (Apache-2.0), from npm; references to source maps removed"
      sha256sum swagger-ui-bundle.js swagger-ui.css LICENSE NOTICE; } >"$HERE/VERSION"
fi
sed 1d "$HERE/VERSION" | sha256sum --check --quiet -
echo "swagger-ui-dist $VERSION is as vendored"
