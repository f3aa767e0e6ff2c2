/* Versions of the Platform and Buildpack API (cnb-spec: lifecycle "API compatibility"). */
#ifndef SLIPWAY_API_H
#define SLIPWAY_API_H

#include <stdbool.h>
#include <stdint.h>

#include "metadata.h"

struct api_version {
  uint64_t major;
  uint64_t minor;
};

/* `<major>.<minor>` or `<major>`, a `v` before it allowed; false where it is neither. */
bool parse_api(const char *text, struct api_version *version);

/* Whether a version that was checked is at least 0.`minor`. */
bool api_at_least(struct api_version version, unsigned minor);

/* The Platform API that the image was made for; ends the program with 11 where it is not set or not supported. */
struct api_version check_platform_api(void);

/* Ends the program with 12 where a buildpack's API is not supported. */
void check_buildpack_apis(const struct metadata *metadata);

#endif
