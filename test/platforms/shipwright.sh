#!/bin/sh
# The one step of Shipwright's strategy buildpacks-v3 (Platform API 0.13): all phases in the builder image, as one user,
# with layers and cache below /tmp, which are gone with the Pod.
set -eu
LAYERS=/tmp/.shp/layers
CACHE=/tmp/.shp/cache
mkdir -p "$LAYERS" "$CACHE" /platform/env "$HOME/.docker"
printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$REGISTRY_AUTH" >"$HOME/.docker/config.json"
export CNB_INSECURE_REGISTRIES="$REGISTRY"
env | grep -v -E '^(PATH|HOSTNAME|PWD|_|SHLVL|HOME|REGISTRY_AUTH)=' | while IFS='=' read -r name value; do
  printf '%s' "$value" >"/platform/env/$name"
done
/cnb/lifecycle/analyzer -layers="$LAYERS" "$IMAGE"
/cnb/lifecycle/detector -app=/workspace -layers="$LAYERS"
/cnb/lifecycle/restorer -cache-dir="$CACHE" -layers="$LAYERS"
/cnb/lifecycle/builder -app=/workspace -layers="$LAYERS"
/cnb/lifecycle/exporter -layers="$LAYERS" -report=/report/report.toml -cache-dir="$CACHE" -app=/workspace \
  -process-type web "$IMAGE"
