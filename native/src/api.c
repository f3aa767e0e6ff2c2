#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "base.h"

enum { EXIT_PLATFORM_API = 11, EXIT_BUILDPACK_API = 12 };

/* A bit for each minor version of 0.x: all that is supported so far is below 1.0, where only equal versions match. */
#define MINORS(first, last) (((2ull << (last)) - 1) & ~((1ull << (first)) - 1))

#define PLATFORM_SUPPORTED MINORS(7, 15)
#define BUILDPACK_SUPPORTED MINORS(7, 12)

/* None is deprecated today. A test compiles with one, so that the day it is needed CNB_DEPRECATION_MODE works. */
#ifndef PLATFORM_DEPRECATED
#define PLATFORM_DEPRECATED 0ull
#endif
#ifndef BUILDPACK_DEPRECATED
#define BUILDPACK_DEPRECATED 0ull
#endif

static bool take_number(const char **at, uint64_t *number) {
  *number = 0;
  for (; **at >= '0' && **at <= '9'; (*at)++) {
    uint64_t digit = (uint64_t)(**at - '0');
    if (*number > (UINT64_MAX - digit) / 10) return false;
    *number = *number * 10 + digit;
  }
  return true;
}

bool parse_api(const char *text, struct api_version *version) {
  const char *at = text;
  if (*at == 'v') at++;
  if (*at < '0' || *at > '9' || !take_number(&at, &version->major)) return false;
  if (*at == '.') at++;
  return take_number(&at, &version->minor) && *at == '\0';
}

bool api_at_least(struct api_version version, unsigned minor) {
  return version.major > 0 || version.minor >= minor;
}

static bool in(struct api_version version, uint64_t minors) {
  return version.major == 0 && version.minor < 64 && (minors >> version.minor & 1) != 0;
}

/* What CNB_DEPRECATION_MODE says of a deprecated version: nothing, a warning, or (false) that it may not be used. */
static bool allow_deprecated(const char *who, const char *api) {
  const char *mode = getenv("CNB_DEPRECATION_MODE");
  if (mode != NULL && (equal(mode, "quiet") || equal(mode, "silent"))) return true;
  warn(who, " deprecated API '", api, "'", NULL);
  if (mode == NULL || !equal(mode, "error")) return true;
  warn("Deprecated APIs are disabled by CNB_DEPRECATION_MODE=error", NULL);
  return false;
}

struct api_version check_platform_api(void) {
  const char *text = getenv("CNB_PLATFORM_API");
  if (text == NULL || text[strspn(text, " \t\n\v\f\r")] == '\0')
    fail(EXIT_PLATFORM_API,
         "failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version",
         NULL);
  struct api_version version;
  if (!parse_api(text, &version)) fail(EXIT_PLATFORM_API, "failed to parse platform API '", text, "'", NULL);
  if (in(version, PLATFORM_SUPPORTED) &&
      (!in(version, PLATFORM_DEPRECATED) || allow_deprecated("Platform requested", text)))
    return version;
  fail(EXIT_PLATFORM_API, "failed to set platform API: platform API version '", text,
       "' is incompatible with the lifecycle", NULL);
}

void check_buildpack_apis(const struct metadata *metadata) {
  for (size_t i = 0; i < metadata->buildpack_count; i++) {
    const struct buildpack *buildpack = &metadata->buildpacks[i];
    struct api_version version;
    if (!parse_api(buildpack->api, &version))
      fail(EXIT_BUILDPACK_API, "failed to parse buildpack API '", buildpack->api, "' for buildpack '", buildpack->id,
           "'", NULL);
    if (in(version, BUILDPACK_SUPPORTED) &&
        (!in(version, BUILDPACK_DEPRECATED) ||
         allow_deprecated(join("buildpack '", buildpack->id, "' requests", NULL), buildpack->api)))
      continue;
    fail(EXIT_BUILDPACK_API, "failed to set API for buildpack '", buildpack->id, "': buildpack API version '",
         buildpack->api, "' is incompatible with the lifecycle", NULL);
  }
}
