/* Launch-time helpers of buildpacks (buildpack specification, "exec.d"). */
#ifndef SLIPWAY_EXEC_D_H
#define SLIPWAY_EXEC_D_H

#include "variables.h"

/* Runs each program of a folder in the order of names; what it writes to descriptor 3 as TOML is set for the next. */
void run_exec_d(struct variables *variables, const char *folder);

#endif
