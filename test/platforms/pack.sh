#!/bin/sh
# The five containers of `pack build --publish` with a builder that it does not trust (Platform API 0.14), one for each call:
# analyzer, restorer and exporter as root with credentials in their environment, detector and builder as the image's user.
set -eu
case $1 in
prepare)
  chown -R 1000:1000 /layers /workspace
  mkdir -p /platform/env
  printf 'from the platform = pack' >/platform/env/GREETING
  printf '[[images]]\nimage = "%s"\n' "$RUN_IMAGE" >/layers/run.toml
  ;;
analyze)
  exec /cnb/lifecycle/analyzer -uid 1000 -gid 1000 -run /layers/run.toml -run-image "$RUN_IMAGE" "$IMAGE"
  ;;
detect)
  exec /cnb/lifecycle/detector -app /workspace
  ;;
restore)
  exec /cnb/lifecycle/restorer -cache-dir /cache -uid 1000 -gid 1000
  ;;
build)
  exec /cnb/lifecycle/builder -app /workspace
  ;;
export)
  exec /cnb/lifecycle/exporter -app /workspace -cache-dir /cache -run /layers/run.toml -uid 1000 -gid 1000 \
    "$IMAGE"
  ;;
esac
