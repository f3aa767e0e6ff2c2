/* The environment that the app will have, and how layers change it (buildpack specification, "Environment"). */
#ifndef SLIPWAY_VARIABLES_H
#define SLIPWAY_VARIABLES_H

#include <stddef.h>

struct variables {
  struct variable *items;
  size_t count;
  size_t room;
};

/*
 * The container's environment without what is meant for the launcher, and without the launcher's own folders on PATH:
 * the app must not see how it was started.
 */
struct variables container_variables(char *const *environment);

/* The value, or an empty string. */
const char *get_variable(const struct variables *variables, const char *name);
void set_variable(struct variables *variables, const char *name, const char *value);

/* `NAME=value` …, NULL, for execve. */
char **variable_list(const struct variables *variables);

/* Puts bin/ and lib/ of a layer before PATH and LD_LIBRARY_PATH where they exist. */
void add_layer_folders(struct variables *variables, const char *layer);

/*
 * Applies the files of an env folder in the order of their names: NAME and NAME.override set, NAME.default sets what is
 * empty, NAME.append and NAME.prepend join with NAME.delim between. Does nothing where there is no such folder.
 */
void apply_env_folder(struct variables *variables, const char *folder);

#endif
