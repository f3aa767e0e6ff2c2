/*
 * The sandbox helper: the first process of a sandbox. platform/sandbox starts it, in namespaces that bubblewrap made or
 * that it makes itself, and gives it a list of steps over a socket: what to mount, whom to become, what to run.
 *
 *   request    4 bytes length (little endian), then that many bytes of NUL-terminated words
 *   control    afterwards: one byte, the number of a signal for the program; the end of the stream ends everything
 *   answer     NUL-separated words: `exited` CODE, `signalled` NUMBER, or `failed` ERRNO STEP OPERAND
 */
#ifndef SLIPWAY_SANDBOX_H
#define SLIPWAY_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Descriptors that it is started with, besides the usual three. The second is this program, to be executed from there. */
enum { CHANNEL = 3, OWN_PROGRAM = 4 };

/* What is to be run once everything stands. */
struct command {
  const char *directory;
  char **arguments;
  size_t argument_count;
  char **environment;
  size_t variable_count;
  /* Whether the program gets pipes whose contents are passed on, or the descriptors as they are. */
  bool relay;
};

/* Ends with the answer `failed`; errno says why. */
_Noreturn void stop(const char *step, const char *operand);
_Noreturn void answer(const char *kind, int number);

/* ---- sandbox-namespaces.c ---- */

/* New namespaces and a first process in them, which goes on; this one waits for it. `network`: its own, without a route. */
void make_namespaces(bool network);
void set_hostname(const char *name);
/* From here on whatever is run has this owner outside; only root can. */
void become(const char *uid, const char *gid);
/* A namespace in which the owner outside appears as these. */
void map_user(const char *uid, const char *gid);
/* No capability now, none by executing anything later. */
void give_up_privileges(void);

/* ---- sandbox-mounts.c ---- */

/* The directory that becomes the root, read-only. What is mounted afterwards has its place below it. */
void mount_root(const char *source);
void mount_bind(const char *source, const char *target, bool writable);
void mount_tmpfs(const char *target);
void mount_proc(void);
void mount_dev(void);
/* Makes it the root; nothing else stays in reach. */
void enter_root(void);

/* ---- sandbox-init.c ---- */

/* Runs the command, and ends with it everything that it left running. */
_Noreturn void run_as_init(const struct command *command);

#endif
