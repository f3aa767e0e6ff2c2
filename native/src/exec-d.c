#define _GNU_SOURCE
#include "exec-d.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "toml.h"

enum { EXIT_LAUNCH = 82, OUTPUT_DESCRIPTOR = 3, FIRST_FREE_DESCRIPTOR = 10, MAX_OUTPUT = 1 << 20 };

static _Noreturn void refuse(const char *what, const char *path, const char *why) {
  fail(EXIT_LAUNCH, "failed to launch: exec.d: failed to ", what, " exec.d file at path '", path, "': ", why, NULL);
}

static const char *describe(int status) {
  if (WIFEXITED(status)) return join("exit status ", decimal((size_t)WEXITSTATUS(status)), NULL);
  return join("signal: ", strsignal(WTERMSIG(status)), NULL);
}

/* Away from 0 to 3, which the program's own streams take, should this process have been started without some. */
static int move_up(int fd) {
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_DESCRIPTOR);
  if (moved >= 0) close(fd);
  return moved;
}

static pid_t start(const char *path, int output, char **environment) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, OUTPUT_DESCRIPTOR);
  pid_t pid;
  char *arguments[] = {copy(path, strlen(path)), NULL};
  int number = posix_spawn(&pid, path, &actions, NULL, arguments, environment);
  if (number != 0) refuse("execute", path, reason(number));
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

/* What the program wrote to its descriptor 3. */
static char *run(const char *path, char **environment, size_t *length) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0 || (ends[0] = move_up(ends[0])) < 0 || (ends[1] = move_up(ends[1])) < 0)
    refuse("execute", path, reason(errno));
  pid_t pid = start(path, ends[1], environment);
  close(ends[1]);
  char *output = read_descriptor(ends[0], MAX_OUTPUT, length);
  int unread = output == NULL ? errno : 0;
  close(ends[0]);
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) refuse("execute", path, reason(errno));
  if (unread == EFBIG) refuse("read output from", path, "more than 1 MiB");
  if (status != 0) refuse("execute", path, describe(status));
  if (output == NULL) refuse("read output from", path, reason(unread));
  return output;
}

static void run_and_apply(struct variables *variables, const char *path) {
  size_t length;
  const char *output = run(path, variable_list(variables), &length);
  struct toml_error error;
  const struct toml_value *table = toml_read(output, length, &error);
  if (table == NULL)
    refuse("decode output from", path, join("line ", decimal(error.line), ": ", error.message, NULL));
  for (const struct toml_pair *pair = table->first; pair != NULL; pair = pair->next) {
    const struct toml_value *value = pair->value;
    if (value->kind != TOML_STRING)
      refuse("decode output from", path, join("`", pair->key, "` must be a string, not ", toml_kind_name(value->kind), NULL));
    if (strlen(value->text) != value->length || strlen(pair->key) != pair->length)
      refuse("decode output from", path, "a NUL character, which no variable can hold");
    set_variable(variables, pair->key, value->text);
  }
}

void run_exec_d(struct variables *variables, const char *folder) {
  struct listing files;
  if (!list_directory(folder, &files)) {
    if (errno == ENOENT) return;
    fail(EXIT_LAUNCH, "failed to launch: exec.d: failed to list files in dir '", folder, "': ", reason(errno), NULL);
  }
  for (size_t i = 0; i < files.count; i++)
    if (files.entries[i].kind != ENTRY_DIRECTORY) run_and_apply(variables, child(folder, files.entries[i].name));
}
