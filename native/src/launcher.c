/*
 * The launcher: the first program of every app image. It reads what the build recorded, makes the environment that the
 * buildpacks asked for, and becomes the app's process (platform specification, "launcher"; exit codes 11, 12, 82, and 1
 * for metadata that cannot be read, as the reference has them).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "base.h"
#include "exec-d.h"
#include "metadata.h"
#include "process.h"
#include "shell.h"
#include "variables.h"

enum { EXIT_LAUNCH = 82, FIRST_SIGNAL_EXIT = 128 };

static const char *environment_or(const char *name, const char *fallback) {
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? fallback : value;
}

static const char *absolute(const char *path) {
  if (*path == '/') return path;
  char *here = getcwd(NULL, 0);
  if (here == NULL) fail(EXIT_LAUNCH, "failed to launch: get working directory: ", reason(errno), NULL);
  return child(here, path);
}

/* The folder of a buildpack's layers, or NULL where it left none. */
static const char *buildpack_folder(const char *layers, const struct buildpack *buildpack) {
  char *name = copy(buildpack->id, strlen(buildpack->id));
  for (char *at = name; *at != '\0'; at++)
    if (*at == '/') *at = '_';
  const char *folder = child(layers, name);
  struct stat state;
  if (stat(folder, &state) == 0) return folder;
  if (errno == ENOENT) return NULL;
  fail(EXIT_LAUNCH, "failed to launch: find buildpack directory: stat ", folder, ": ", reason(errno), NULL);
}

/* The layers of one buildpack by name; files beside them, such as <layer>.toml, are none. */
static struct strings layers_of(const char *folder) {
  struct listing listing;
  if (!list_directory(folder, &listing))
    fail(EXIT_LAUNCH, "failed to launch: failed to list files in dir '", folder, "': ", reason(errno), NULL);
  struct strings layers = {.items = allocate(listing.count * sizeof *layers.items)};
  for (size_t i = 0; i < listing.count; i++)
    if (listing.entries[i].kind == ENTRY_DIRECTORY) layers.items[layers.count++] = child(folder, listing.entries[i].name);
  return layers;
}

/* The layers of every buildpack, in the order in which they take effect. */
static struct strings *list_layers(const char *folder, const struct metadata *metadata) {
  struct strings *all = allocate(metadata->buildpack_count * sizeof *all);
  for (size_t i = 0; i < metadata->buildpack_count; i++) {
    const char *buildpack = buildpack_folder(folder, &metadata->buildpacks[i]);
    all[i] = buildpack == NULL ? (struct strings){0} : layers_of(buildpack);
  }
  return all;
}

static void apply_layers(struct variables *variables, const struct strings *layers, size_t count, const char *type) {
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < layers[i].count; j++) add_layer_folders(variables, layers[i].items[j]);
    for (size_t j = 0; j < layers[i].count; j++) {
      const char *launch = child(layers[i].items[j], "env.launch");
      apply_env_folder(variables, child(layers[i].items[j], "env"));
      apply_env_folder(variables, launch);
      if (*type != '\0') apply_env_folder(variables, child(launch, type));
    }
  }
}

static void run_helpers(struct variables *variables, const struct strings *layers, size_t count, const char *type) {
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < layers[i].count; j++) {
      const char *folder = child(layers[i].items[j], "exec.d");
      run_exec_d(variables, folder);
      if (*type != '\0') run_exec_d(variables, child(folder, type));
    }
  }
}

static void end_by_signal(int number) { _exit(FIRST_SIGNAL_EXIT + number); }

/*
 * The kernel keeps from a container's first process every signal that it does not handle, so a container that is stopped
 * while a helper runs would wait for the engine's time-out. execve puts these back to their defaults.
 */
static void die_on_signals(void) {
  static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  for (size_t i = 0; getpid() == 1 && i < sizeof numbers / sizeof *numbers; i++) {
    struct sigaction old;
    if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) signal(numbers[i], end_by_signal);
  }
}

/* Why a file cannot be run, or NULL. */
static const char *not_executable(const char *path) {
  struct stat state;
  if (stat(path, &state) != 0) return join("stat ", path, ": ", reason(errno), NULL);
  if (S_ISDIR(state.st_mode)) return "is a directory";
  return access(path, X_OK) == 0 ? NULL : reason(errno);
}

static _Noreturn void not_found(const char *command, const char *why) {
  fail(EXIT_LAUNCH, "failed to launch: path lookup: exec: \"", command, "\": ", why, NULL);
}

static const char *look_up(const char *command, const char *path) {
  if (strchr(command, '/') != NULL) {
    const char *why = not_executable(command);
    if (why != NULL) not_found(command, why);
    return command;
  }
  for (const char *part = path; *command != '\0' && *path != '\0'; part++) {
    size_t length = strcspn(part, ":");
    const char *found = child(length == 0 ? "." : copy(part, length), command);
    if (not_executable(found) == NULL) {
      if (*found == '/') return found;
      not_found(command, "cannot run executable found relative to current directory");
    }
    part += length;
    if (*part == '\0') break;
  }
  not_found(command, "executable file not found in $PATH");
}

static _Noreturn void launch_directly(const struct process *process, const char *directory,
                                      const struct variables *variables) {
  if (process->command.count == 0)
    fail(EXIT_LAUNCH, "failed to launch: no command provided for process type \"", process->type, "\"", NULL);
  const char *program = look_up(process->command.items[0], get_variable(variables, "PATH"));
  if (chdir(directory) != 0)
    fail(EXIT_LAUNCH, "failed to launch: change directory: chdir ", directory, ": ", reason(errno), NULL);
  size_t count = process->command.count + process->args.count;
  const char **arguments = allocate((count + 1) * sizeof *arguments);
  for (size_t i = 0; i < process->command.count; i++) arguments[i] = process->command.items[i];
  for (size_t i = 0; i < process->args.count; i++) arguments[process->command.count + i] = process->args.items[i];
  arguments[count] = NULL;
  execve(program, (char *const *)arguments, variable_list(variables));
  fail(EXIT_LAUNCH, "failed to launch: direct exec: ", program, ": ", reason(errno), NULL);
}

static void warn_of_process_type(void) {
  const char *type = getenv("CNB_PROCESS_TYPE");
  if (type == NULL || *type == '\0') return;
  warn("CNB_PROCESS_TYPE is not supported in Platform API ", getenv("CNB_PLATFORM_API"), NULL);
  warn("Run with ENTRYPOINT '", type, "' to invoke the '", type, "' process type", NULL);
}

int main(int count, char **arguments, char **environment) {
  struct api_version platform = check_platform_api();
  const char *layers_folder = absolute(environment_or("CNB_LAYERS_DIR", "/layers"));
  const char *app = absolute(environment_or("CNB_APP_DIR", "/workspace"));
  struct metadata metadata = read_metadata(child(child(layers_folder, "config"), "metadata.toml"));
  check_buildpack_apis(&metadata);
  warn_of_process_type();

  const char *self = count > 0 ? arguments[0] : "launcher";
  struct strings user = {.items = (const char **)arguments + 1, .count = count > 1 ? (size_t)count - 1 : 0};
  struct process process = choose_process(&metadata, platform, base_name(self),
                                          environment_or("CNB_EXEC_ENV", "production"), &user);

  if (chdir(app) != 0)
    fail(EXIT_LAUNCH, "failed to launch: change to app directory: chdir ", app, ": ", reason(errno), NULL);
  struct variables variables = container_variables(environment);
  const struct strings *layers = list_layers(layers_folder, &metadata);
  apply_layers(&variables, layers, metadata.buildpack_count, process.type);
  die_on_signals();
  run_helpers(&variables, layers, metadata.buildpack_count, process.type);

  const char *directory = *process.directory == '\0' ? app : process.directory;
  if (process.direct) launch_directly(&process, directory, &variables);
  launch_in_shell(&process, &metadata, layers, self, app, directory, &variables);
}
