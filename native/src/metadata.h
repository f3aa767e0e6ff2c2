/* <layers>/config/metadata.toml as far as a launcher reads it (platform specification, "metadata.toml"). */
#ifndef SLIPWAY_METADATA_H
#define SLIPWAY_METADATA_H

#include <stdbool.h>
#include <stddef.h>

struct strings {
  const char **items;
  size_t count;
};

struct process {
  const char *type;
  /* At least `command`'s first entry is the program; a string in the file is an array of one here. */
  struct strings command;
  struct strings args;
  bool direct;
  const char *buildpack;
  const char *directory;
  struct strings exec_env;
};

struct buildpack {
  const char *id;
  /* As written; empty where there is none. */
  const char *api;
};

struct metadata {
  struct buildpack *buildpacks;
  size_t buildpack_count;
  struct process *processes;
  size_t process_count;
};

/* Reads the file or ends the program with the reference's exit code 1. */
struct metadata read_metadata(const char *path);

#endif
