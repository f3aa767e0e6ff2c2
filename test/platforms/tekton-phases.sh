#!/bin/sh
# The steps of the Tekton catalog's task buildpacks-phases 0.3 (Platform API 0.13), one for each call. Parameters that are
# not set are empty flags, and restore passes a layers directory that nobody set: the working directory is /layers.
set -eu
case $1 in
prepare)
  chown -R 1000:1000 /cache /tekton/home /layers /workspace /report
  mkdir -p /platform/env
  printf 'from the platform = tekton' >/platform/env/GREETING
  mkdir -p /tekton/home/.docker
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$REGISTRY_AUTH" >/tekton/home/.docker/config.json
  ;;
analyze)
  exec /cnb/lifecycle/analyzer -log-level=info -layers=/layers -run-image="${CNB_RUN_IMAGE:-}" \
    -cache-image="${CNB_CACHE_IMAGE:-}" -uid=1000 -gid=1000 -insecure-registry="$REGISTRY" -tag="${TAGS:-}" \
    -skip-layers=false "$IMAGE"
  ;;
detect)
  exec /cnb/lifecycle/detector -log-level=info -app=/workspace -group=/layers/group.toml -layers=/layers \
    -platform=/platform -plan=/layers/plan.toml
  ;;
restore)
  exec /cnb/lifecycle/restorer -log-level=info -build-image="${CNB_BUILD_IMAGE:-}" -group=/layers/group.toml \
    -layers="${CNB_LAYERS_DIR:-}" -cache-dir=/cache -cache-image="${CNB_CACHE_IMAGE:-}" -uid=1000 -gid=1000 \
    -insecure-registry="$REGISTRY" -skip-layers=false
  ;;
build)
  exec /cnb/lifecycle/builder -log-level=info -app=/workspace -layers=/layers -group=/layers/group.toml \
    -plan=/layers/plan.toml -platform=/platform
  ;;
export)
  exec /cnb/lifecycle/exporter -log-level=info -app=/workspace -layers=/layers -group=/layers/group.toml \
    -cache-dir=/cache -cache-image="${CNB_CACHE_IMAGE:-}" -report=/report/report.toml -process-type=web \
    -uid=1000 -gid=1000 -insecure-registry="$REGISTRY" "$IMAGE"
  ;;
esac
