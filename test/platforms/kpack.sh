#!/bin/sh
# The containers of a kpack build Pod (Platform API 0.9), one for each call: no -uid, as whoever the Pod runs as, with the
# registry's credentials in a home volume that detect and build do not get.
set -eu
case $1 in
prepare)
  mkdir -p "$HOME/.docker"
  printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$REGISTRY_AUTH" >"$HOME/.docker/config.json"
  mkdir -p /platform/env
  printf 'from the platform = kpack' >/platform/env/GREETING
  printf '[source]\ntype = "git"\n' >/layers/project-metadata.toml
  ;;
analyze)
  exec /cnb/lifecycle/analyzer -layers=/layers -analyzed=/layers/analyzed.toml -run-image="$RUN_IMAGE" \
    ${PREVIOUS_IMAGE:+-previous-image="$PREVIOUS_IMAGE"} -tag="$IMAGE:b1" "$IMAGE"
  ;;
detect)
  exec /cnb/lifecycle/detector -app=/workspace -group=/layers/group.toml -plan=/layers/plan.toml
  ;;
restore)
  exec /cnb/lifecycle/restorer -group=/layers/group.toml -layers=/layers -cache-dir=/cache \
    -analyzed=/layers/analyzed.toml
  ;;
build)
  exec /cnb/lifecycle/builder -layers=/layers -app=/workspace -group=/layers/group.toml -plan=/layers/plan.toml
  ;;
export)
  exec /cnb/lifecycle/exporter -layers=/layers -app=/workspace -group=/layers/group.toml \
    -analyzed=/layers/analyzed.toml -project-metadata=/layers/project-metadata.toml -cache-dir=/cache \
    -process-type=web -report=/report/report.toml "$IMAGE" "$IMAGE:b1"
  ;;
esac
