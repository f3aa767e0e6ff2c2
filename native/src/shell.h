/* Processes that are started by a shell (buildpack specification, "shell processes"; cnb-spec's rule LX-3). */
#ifndef SLIPWAY_SHELL_H
#define SLIPWAY_SHELL_H

#include "metadata.h"
#include "variables.h"

/*
 * Becomes bash, which sources the profile scripts of the layers and of the app, goes to the directory, and becomes the
 * command. `layers` has one list for each buildpack; `self` is what the scripts see as $0.
 */
_Noreturn void launch_in_shell(const struct process *process, const struct metadata *metadata,
                               const struct strings *layers, const char *self, const char *app, const char *directory,
                               const struct variables *variables);

#endif
