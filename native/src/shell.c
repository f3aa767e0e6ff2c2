#include "shell.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "base.h"
#include "process.h"

enum { EXIT_LAUNCH = 82 };

/* `source` lines for the files of a profile.d folder. */
static const char *sources_of(const char *folder, const char *script) {
  struct listing files;
  if (!list_directory(folder, &files)) {
    if (errno == ENOENT) return script;
    fail(EXIT_LAUNCH, "failed to launch: find profiles: failed to list files in dir '", folder, "': ", reason(errno),
         NULL);
  }
  for (size_t i = 0; i < files.count; i++)
    if (files.entries[i].kind != ENTRY_DIRECTORY)
      script = join(script, "source \"", child(folder, files.entries[i].name), "\"\n", NULL);
  return script;
}

static const char *app_profile(const char *app, const char *script) {
  const char *path = child(app, ".profile");
  struct stat state;
  if (stat(path, &state) == 0) return S_ISDIR(state.st_mode) ? script : join(script, "source \".profile\"\n", NULL);
  if (errno == ENOENT) return script;
  fail(EXIT_LAUNCH, "failed to launch: find profiles: failed to determine if app profile script exists at path '", path,
       "': ", reason(errno), NULL);
}

/*
 * Each word goes through the shell once more, so that variables in arguments have the values that profile scripts gave
 * them, and stays one word.
 */
static const char *evaluate_words(size_t count) {
  char *script = join("exec bash -c '\"$(eval echo \\\"$0\\\")\"", NULL);
  for (size_t i = 1; i < count; i++) {
    char *longer = join(script, " \"$(eval echo \\\"${", decimal(i), "}\\\")\"", NULL);
    free(script);
    script = longer;
  }
  return join(script, "' \"${@:1}\"", NULL);
}

_Noreturn void launch_in_shell(const struct process *process, const struct metadata *metadata,
                               const struct strings *layers, const char *self, const char *app, const char *directory,
                               const struct variables *variables) {
  const char *script = "";
  for (size_t i = 0; i < metadata->buildpack_count; i++) {
    for (size_t j = 0; j < layers[i].count; j++) {
      const char *folder = child(layers[i].items[j], "profile.d");
      script = sources_of(folder, script);
      if (*process->type != '\0') script = sources_of(child(folder, process->type), script);
    }
  }
  script = app_profile(app, script);

  struct api_version version;
  bool is_script = process->args.count == 0;
  if (!is_script && *process->buildpack != '\0' && !buildpack_api_of(metadata, process, &version))
    fail(EXIT_LAUNCH, "failed to launch: process type '", process->type, "' provided by unknown buildpack '",
         process->buildpack, "'", NULL);

  const char *command = "";
  for (size_t i = 0; i < process->command.count; i++)
    command = join(command, i == 0 ? "" : " ", process->command.items[i], NULL);
  const char **arguments = allocate((process->args.count + 6) * sizeof *arguments);
  const char **next = arguments;
  *next++ = "bash";
  *next++ = "-c";
  *next++ = join(script, "cd \"", directory, "\"\n",
                 is_script ? "exec bash -c \"$@\"" : evaluate_words(process->args.count + 1), NULL);
  *next++ = self;
  *next++ = command;
  for (size_t i = 0; i < process->args.count; i++) *next++ = process->args.items[i];
  *next = NULL;
  execve("/bin/bash", (char *const *)arguments, variable_list(variables));
  fail(EXIT_LAUNCH, "failed to launch: bash exec: ", "/bin/bash: ", reason(errno), NULL);
}
