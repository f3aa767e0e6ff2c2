/*
 * The starter: what stands under the name of a program that is written in JavaScript, and becomes Node.
 *
 *   /cnb/lifecycle/<phase>        Node and lifecycle.cjs stand beside it
 *   <buildpack>/bin/{detect,build}  runs ../buildpack.cjs with the lifecycle's Node, or with the buildpack's own ../runtime
 *
 * Node runs on the C library that comes with it, so that it starts on any base image, and the base image's environment
 * cannot change how: what the loader, the C library, OpenSSL and Node read before the first line of JavaScript is renamed
 * to _SLIPWAY_ENV_<name>, and put back by restore-environment.ts for the programs that are started from there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"

#define HIDDEN "_SLIPWAY_ENV_"

#if defined(__x86_64__)
#define LOADER "ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define LOADER "ld-linux-aarch64.so.1"
#else
#error "no Node for this architecture"
#endif

#ifndef LIFECYCLE_FOLDER
#define LIFECYCLE_FOLDER "/cnb/lifecycle"
#endif

enum { EXIT_FAILED = 1, MAX_PATH = 4096 };

/* ---- the environment ---- */

static bool name_is(const char *variable, const char *name) {
  size_t length = strlen(name);
  return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

static bool harms(const char *variable) {
  static const char *const families[] = {"LD_", "MALLOC_", "NODE_", "OPENSSL_", "UV_"};
  // A company's CA is the user's to add, and both are read only when there is a TLS connection.
  static const char *const kept[] = {"NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA"};
  static const char *const names[] = {"GLIBC_TUNABLES", "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES",
                                      "GCONV_PATH",     "LOCPATH",     "NLSPATH",     "GETCONF_DIR"};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    if (name_is(variable, kept[i])) return false;
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (has_prefix(variable, families[i])) return true;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (name_is(variable, names[i])) return true;
  return false;
}

static char **hide(char *const *environment) {
  size_t count = 0;
  while (environment[count] != NULL) count++;
  char **kept = allocate((count + 1) * sizeof *kept);
  char **next = kept;
  for (; *environment != NULL; environment++) {
    // The caller cannot have such a name for a good reason, and it would overwrite another variable.
    if (has_prefix(*environment, HIDDEN)) continue;
    *next++ = harms(*environment) ? join(HIDDEN, *environment, NULL) : *environment;
  }
  *next = NULL;
  return kept;
}

/* ---- places ---- */

static bool exists(const char *path) {
  struct stat state;
  return stat(path, &state) == 0;
}

static const char *parent(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? "." : slash == path ? "/" : copy(path, (size_t)(slash - path));
}

/* The file that runs, links resolved; it must be found in a container without /proc too. */
static const char *own_path(void) {
  char *buffer = allocate(MAX_PATH);
  ssize_t length = readlink("/proc/self/exe", buffer, MAX_PATH - 1);
  if (length > 0 && buffer[0] == '/') {
    buffer[length] = '\0';
    return buffer;
  }
  const char *started_as = (const char *)getauxval(AT_EXECFN);
  const char *path = started_as == NULL ? NULL : realpath(started_as, NULL);
  if (path == NULL) fail(EXIT_FAILED, "cannot find the folder of this program: ", reason(errno), NULL);
  return path;
}

/* `detect` or `build`: the name this was called by, or, where a platform gave another argv[0], the name of the file. */
static const char *step_name(const char *argv0, const char *path) {
  const char *started_as = (const char *)getauxval(AT_EXECFN);
  const char *names[] = {base_name(argv0), started_as == NULL ? "" : base_name(started_as), base_name(path)};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (equal(names[i], "detect") || equal(names[i], "build")) return names[i];
  fail(EXIT_FAILED, "a buildpack's program is called detect or build, not ", names[0], NULL);
}

/* ---- start ---- */

/* Becomes `node script [step] arguments…`; the name it was called by stays visible as process.argv0. */
static _Noreturn void become_node(const char *folder, const char *script, const char *step, int count,
                                  char *const *arguments, char *const *environment) {
  const char *node = child(folder, "node");
  const char *loader = child(folder, LOADER);
  const char *argv0 = count > 0 ? arguments[0] : "";
  bool bundled = exists(loader);
  const char **list = allocate(((size_t)count + 12) * sizeof *list);
  const char **next = list;
  *next++ = argv0;
  if (bundled) {
    const char *const options[] = {"--inhibit-cache", "--library-path", folder, "--argv0", argv0, node};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) *next++ = options[i];
  }
  *next++ = script;
  if (step != NULL) *next++ = step;
  for (int i = 1; i < count; i++) *next++ = arguments[i];
  *next = NULL;
  const char *program = bundled ? loader : node;
  execve(program, (char *const *)list, hide(environment));
  fail(EXIT_FAILED, "cannot start ", program, ": ", reason(errno), NULL);
}

int main(int count, char **arguments, char **environment) {
  const char *path = own_path();
  const char *folder = parent(path);
  const char *top = parent(folder);
  const char *buildpack = child(top, "buildpack.cjs");
  bool in_buildpack = equal(base_name(folder), "bin") && exists(child(top, "buildpack.toml")) && exists(buildpack);

  if (!in_buildpack) {
    if (exists(child(folder, "node")))
      become_node(folder, child(folder, "lifecycle.cjs"), NULL, count, arguments, environment);
    fail(EXIT_FAILED, "no JavaScript runtime: ", folder, " holds no `node`", NULL);
  }
  const char *step = step_name(count > 0 ? arguments[0] : "", path);
  const char *const runtimes[] = {LIFECYCLE_FOLDER, child(top, "runtime")};
  for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
    if (exists(child(runtimes[i], "node"))) become_node(runtimes[i], buildpack, step, count, arguments, environment);
  fail(EXIT_FAILED, "no JavaScript runtime for the buildpack in ", top, ": neither ", runtimes[0], " nor ",
       runtimes[1], " holds a `node`", NULL);
}
