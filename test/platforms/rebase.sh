#!/bin/sh
# An image is put on the new run image by the rebaser alone.
set -eu
export CNB_REGISTRY_AUTH="{\"$REGISTRY\":\"Basic $REGISTRY_AUTH\"}"
exec /cnb/lifecycle/rebaser -report=/tmp/rebase.toml "$IMAGE"
