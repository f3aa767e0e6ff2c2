#include "variables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"

enum { EXIT_LAUNCH = 82, MAX_VALUE = 1 << 20 };

struct variable {
  const char *name;
  char *value;
};

static struct variable *find(const struct variables *variables, const char *name) {
  for (size_t i = 0; i < variables->count; i++)
    if (equal(variables->items[i].name, name)) return &variables->items[i];
  return NULL;
}

const char *get_variable(const struct variables *variables, const char *name) {
  const struct variable *variable = find(variables, name);
  return variable == NULL ? "" : variable->value;
}

/* Takes the value over. */
static void put(struct variables *variables, const char *name, char *value) {
  struct variable *variable = find(variables, name);
  if (variable == NULL) {
    if (variables->count == variables->room)
      variables->items =
          reallocate(variables->items, variables->room = variables->room * 2 + 32, sizeof *variables->items);
    variable = &variables->items[variables->count++];
    *variable = (struct variable){.name = copy(name, strlen(name))};
  }
  free(variable->value);
  variable->value = value;
}

void set_variable(struct variables *variables, const char *name, const char *value) {
  put(variables, name, copy(value, strlen(value)));
}

char **variable_list(const struct variables *variables) {
  char **list = allocate((variables->count + 1) * sizeof *list);
  for (size_t i = 0; i < variables->count; i++)
    list[i] = join(variables->items[i].name, "=", variables->items[i].value, NULL);
  list[variables->count] = NULL;
  return list;
}

static char *without_launcher_folders(const char *path) {
  char *kept = allocate(strlen(path) + 1);
  char *end = kept;
  bool first = true;
  for (const char *part = path;; part++) {
    size_t length = strcspn(part, ":");
    char *name = copy(part, length);
    if (!equal(name, "/cnb/process") && !equal(name, "/cnb/lifecycle")) {
      if (!first) *end++ = ':';
      first = false;
      memcpy(end, part, length);
      end += length;
    }
    free(name);
    part += length;
    if (*part == '\0') break;
  }
  *end = '\0';
  return kept;
}

struct variables container_variables(char *const *environment) {
  static const char *const hidden[] = {"CNB_LAYERS_DIR", "CNB_APP_DIR", "CNB_PROCESS_TYPE", "CNB_PLATFORM_API",
                                       "CNB_DEPRECATION_MODE"};
  struct variables variables = {0};
  for (; *environment != NULL; environment++) {
    const char *separator = strchr(*environment, '=');
    if (separator == NULL) continue;
    const char *name = copy(*environment, (size_t)(separator - *environment));
    bool keep = find(&variables, name) == NULL;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) keep = keep && !equal(name, hidden[i]);
    if (!keep) continue;
    if (equal(name, "PATH")) put(&variables, name, without_launcher_folders(separator + 1));
    else set_variable(&variables, name, separator + 1);
  }
  return variables;
}

static void add_folder(struct variables *variables, const char *folder, const char *name) {
  struct stat state;
  if (stat(folder, &state) != 0) {
    if (errno == ENOENT) return;
    fail(EXIT_LAUNCH, "failed to launch: modify env: add layer root: stat ", folder, ": ", reason(errno), NULL);
  }
  const char *old = get_variable(variables, name);
  put(variables, name, join(folder, *old == '\0' ? "" : ":", old, NULL));
}

void add_layer_folders(struct variables *variables, const char *layer) {
  add_folder(variables, child(layer, "bin"), "PATH");
  add_folder(variables, child(layer, "lib"), "LD_LIBRARY_PATH");
}

static _Noreturn void refuse(const char *folder, const char *path, const char *why) {
  fail(EXIT_LAUNCH, "failed to launch: modify env: add layer env: apply env files from dir '", folder, "': ", path, ": ",
       why, NULL);
}

static char *read_value(const char *folder, const char *path) {
  size_t length;
  char *value = read_file(path, MAX_VALUE, &length);
  if (value == NULL) refuse(folder, path, reason(errno));
  if (strlen(value) != length) refuse(folder, path, "a NUL byte, which no variable can hold");
  return value;
}

static const char *delimiter(const char *folder, const char *name) {
  const char *value = read_file(child(folder, join(name, ".delim", NULL)), MAX_VALUE, NULL);
  return value == NULL ? "" : value;
}

static void apply(struct variables *variables, const char *folder, const char *file) {
  char *value = read_value(folder, child(folder, file));
  const char *dot = strchr(file, '.');
  const char *name = dot == NULL ? file : copy(file, (size_t)(dot - file));
  const char *action = dot == NULL ? "override" : dot + 1;
  const char *old = get_variable(variables, name);
  if (equal(action, "override")) {
    put(variables, name, value);
  } else if (equal(action, "default")) {
    if (*old == '\0') put(variables, name, value);
  } else if (equal(action, "append")) {
    put(variables, name, join(old, *old == '\0' ? "" : delimiter(folder, name), value, NULL));
  } else if (equal(action, "prepend")) {
    put(variables, name, join(value, *old == '\0' ? "" : delimiter(folder, name), old, NULL));
  }
}

void apply_env_folder(struct variables *variables, const char *folder) {
  struct listing files;
  if (!list_directory(folder, &files)) {
    if (errno == ENOENT) return;
    refuse(folder, "open", reason(errno));
  }
  for (size_t i = 0; i < files.count; i++) {
    const struct entry *file = &files.entries[i];
    if (file->kind == ENTRY_DIRECTORY) continue;
    const char *path = child(folder, file->name);
    struct stat state;
    if (file->kind == ENTRY_LINK) {
      if (stat(path, &state) != 0) refuse(folder, path, reason(errno));
      if (S_ISDIR(state.st_mode)) continue;
    }
    apply(variables, folder, file->name);
  }
}
