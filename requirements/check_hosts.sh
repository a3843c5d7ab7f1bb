#!/bin/sh
# Where packages come from is the setting of whoever installs them: no lock, code or page names a
# host for it.
set -eu
status=0
if grep -nE '://|--(extra-)?index-url|--find-links|--trusted-host' requirements/*.txt; then
    echo "A lock names a place: make it again with 'make locks'." >&2
    status=1
fi
registries='(pypi|pythonhosted|crates|npmjs|maven|sonatype|golang|debian)[.](org|io|com|apache)'
if git grep --untracked -nIE "$registries"; then
    echo "A package registry's host is named: name the package only." >&2
    status=1
fi
exit $status
