#include "process.h"

#include <string.h>

#include "base.h"

enum { EXIT_LAUNCH = 82 };

#define START "failed to launch: determine start command: "

static struct strings concatenate(struct strings first, struct strings second) {
  struct strings all = {.items = allocate((first.count + second.count) * sizeof *all.items),
                        .count = first.count + second.count};
  if (first.count > 0) memcpy(all.items, first.items, first.count * sizeof *all.items);
  if (second.count > 0) memcpy(all.items + first.count, second.items, second.count * sizeof *all.items);
  return all;
}

static struct strings rest(struct strings strings) {
  return (struct strings){.items = strings.items + 1, .count = strings.count - 1};
}

static bool contains(struct strings strings, const char *text) {
  for (size_t i = 0; i < strings.count; i++)
    if (equal(strings.items[i], text)) return true;
  return false;
}

static bool known(const struct metadata *metadata, const char *type) {
  for (size_t i = 0; i < metadata->process_count; i++)
    if (equal(metadata->processes[i].type, type)) return *type != '\0';
  return false;
}

static bool eligible(const struct process *process, struct api_version platform, const char *exec_env) {
  return !api_at_least(platform, 15) || process->exec_env.count == 0 || contains(process->exec_env, "*") ||
         contains(process->exec_env, exec_env);
}

bool buildpack_api_of(const struct metadata *metadata, const struct process *process, struct api_version *version) {
  for (size_t i = 0; i < metadata->buildpack_count; i++)
    if (equal(metadata->buildpacks[i].id, process->buildpack)) return parse_api(metadata->buildpacks[i].api, version);
  return false;
}

/* `--` before a command means that no shell is wanted. */
static struct process user_process(const struct strings *user) {
  if (user->count == 0) fail(EXIT_LAUNCH, START "when there is no default process a command is required", NULL);
  bool direct = user->count > 1 && equal(user->items[0], "--");
  struct strings words = direct ? rest(*user) : *user;
  return (struct process){
      .type = "",
      .command = {.items = words.items, .count = 1},
      .args = rest(words),
      .direct = direct,
      .buildpack = "",
      .directory = "",
  };
}

/* From Buildpack API 0.9 on a process's own `args` are defaults, which a caller's replace. */
static bool replaces_args(const struct metadata *metadata, const struct process *process) {
  struct api_version version;
  if (!buildpack_api_of(metadata, process, &version))
    fail(EXIT_LAUNCH, START "failed to find buildpack for process ", process->type, " with buildpack ID ",
         process->buildpack, NULL);
  return api_at_least(version, 9);
}

struct process choose_process(const struct metadata *metadata, struct api_version platform, const char *type,
                              const char *exec_env, const struct strings *user) {
  if (!known(metadata, type)) return user_process(user);
  struct process process = {0};
  for (size_t i = 0; i < metadata->process_count && process.type == NULL; i++)
    if (equal(metadata->processes[i].type, type) && eligible(&metadata->processes[i], platform, exec_env))
      process = metadata->processes[i];
  if (process.type == NULL) fail(EXIT_LAUNCH, START "process type ", type, " was not found", NULL);

  if (!api_at_least(platform, 10)) {
    process.args = concatenate(process.args, *user);
  } else if (process.command.count > 1) {
    // Only a newer buildpack can have written that: what stands behind the program is always passed.
    struct strings variable = user->count > 0 ? *user : process.args;
    process.args = concatenate(rest(process.command), variable);
    process.command.count = 1;
  } else if (user->count > 0) {
    process.args = replaces_args(metadata, &process) ? *user : concatenate(process.args, *user);
  }
  return process;
}
