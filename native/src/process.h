/* Which process is started, with which arguments (platform specification, "launcher", and cnb-spec's rules LN). */
#ifndef SLIPWAY_PROCESS_H
#define SLIPWAY_PROCESS_H

#include "api.h"
#include "metadata.h"

/*
 * The process named `type` with what the caller added, or the caller's own command where `type` names none. The result's
 * command is one program, and its arguments are all there are. Its type is empty for the caller's own.
 */
struct process choose_process(const struct metadata *metadata, struct api_version platform, const char *type,
                              const char *exec_env, const struct strings *user);

/* The Buildpack API of the process's buildpack; false where there is no such buildpack. */
bool buildpack_api_of(const struct metadata *metadata, const struct process *process, struct api_version *version);

#endif
