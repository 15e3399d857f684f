#!/bin/sh
# The entry point of the image. Pushpin's image sends all requests to the variable `target`, as host:port; routes that are given
# anywhere win over it here.
[ -z "${target:-}" ] || export HOLDFAST_TARGET="$target"
exec holdfast "$@"
