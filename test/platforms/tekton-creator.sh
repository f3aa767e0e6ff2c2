#!/bin/sh
# The steps of the Tekton catalog's task buildpacks 0.6 (Platform API 0.9): the creator as 1000:1000, after a step of root's.
set -eu
case $1 in
prepare)
  chown -R 1000:1000 /cache /tekton/home /layers /workspace /report
  mkdir -p /platform/env /tekton/home/.docker
  printf 'from the platform = tekton' >/platform/env/GREETING
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$REGISTRY_AUTH" >/tekton/home/.docker/config.json
  ;;
create)
  export DOCKER_CONFIG=/tekton/home/.docker
  exec /cnb/lifecycle/creator -app=/workspace -cache-dir=/cache -cache-image="${CACHE_IMAGE:-}" -uid=1000 -gid=1000 \
    -layers=/layers -platform=/platform -report=/report/report.toml -process-type=web -skip-restore=false \
    -previous-image="$IMAGE" -run-image="$RUN_IMAGE" "$IMAGE"
  ;;
esac
