#include "metadata.h"

#include <errno.h>
#include <string.h>

#include "base.h"
#include "toml.h"

/* The reference puts metadata that it cannot read down as a generic failure, not one of launching. */
enum { EXIT_GENERIC = 1, MAX_SIZE = 16 << 20 };

static const char *file;

static _Noreturn void refuse(size_t line, const char *message) {
  fail(EXIT_GENERIC, "failed to read metadata: ", file, ": line ", decimal(line), ": ", message, NULL);
}

/* A key's value where it has one, checked to be of the kind it must have. */
static struct toml_value *get(const struct toml_value *table, const char *key, enum toml_kind kind) {
  struct toml_value *value = toml_get(table, key);
  if (value != NULL && value->kind != kind)
    refuse(value->line, join("`", key, "` must be ", toml_kind_name(kind), ", not ", toml_kind_name(value->kind), NULL));
  return value;
}

static const char *text(const struct toml_value *value) {
  if (strlen(value->text) != value->length) refuse(value->line, "a string with a NUL character");
  return value->text;
}

static const char *get_string(const struct toml_value *table, const char *key) {
  struct toml_value *value = get(table, key, TOML_STRING);
  return value == NULL ? "" : text(value);
}

static struct strings get_strings(const struct toml_value *table, const char *key) {
  struct strings strings = {0};
  struct toml_value *array = get(table, key, TOML_ARRAY);
  if (array == NULL) return strings;
  strings.items = allocate(array->count * sizeof *strings.items);
  for (; strings.count < array->count; strings.count++) {
    struct toml_value *item = array->items[strings.count];
    if (item->kind != TOML_STRING)
      refuse(item->line, join("`", key, "` must hold strings, not ", toml_kind_name(item->kind), NULL));
    strings.items[strings.count] = text(item);
  }
  return strings;
}

/* An array at Platform API 0.10 and later, a string before; every launcher reads both. */
static struct strings get_command(const struct toml_value *table) {
  struct toml_value *value = toml_get(table, "command");
  if (value == NULL || value->kind != TOML_STRING) return get_strings(table, "command");
  struct strings command = {.items = allocate(sizeof *command.items), .count = 1};
  command.items[0] = text(value);
  return command;
}

/* The tables of `[[key]]`. */
static struct toml_value *get_tables(const struct toml_value *table, const char *key) {
  struct toml_value *array = get(table, key, TOML_ARRAY);
  for (size_t i = 0; array != NULL && i < array->count; i++)
    if (array->items[i]->kind != TOML_TABLE)
      refuse(array->items[i]->line, join("`", key, "` must be an array of tables", NULL));
  return array;
}

struct metadata read_metadata(const char *path) {
  file = path;
  size_t length;
  const char *bytes = read_file(path, MAX_SIZE, &length);
  if (bytes == NULL) fail(EXIT_GENERIC, "failed to read metadata: open ", path, ": ", reason(errno), NULL);
  struct toml_error error;
  struct toml_value *root = toml_read(bytes, length, &error);
  if (root == NULL) refuse(error.line, error.message);

  struct metadata metadata = {0};
  struct toml_value *buildpacks = get_tables(root, "buildpacks");
  if (buildpacks != NULL) {
    metadata.buildpacks = allocate(buildpacks->count * sizeof *metadata.buildpacks);
    for (; metadata.buildpack_count < buildpacks->count; metadata.buildpack_count++) {
      struct toml_value *table = buildpacks->items[metadata.buildpack_count];
      metadata.buildpacks[metadata.buildpack_count] = (struct buildpack){
          .id = get_string(table, "id"),
          .api = get_string(table, "api"),
      };
    }
  }
  struct toml_value *processes = get_tables(root, "processes");
  if (processes != NULL) {
    metadata.processes = allocate(processes->count * sizeof *metadata.processes);
    for (; metadata.process_count < processes->count; metadata.process_count++) {
      struct toml_value *table = processes->items[metadata.process_count];
      struct toml_value *direct = get(table, "direct", TOML_BOOLEAN);
      metadata.processes[metadata.process_count] = (struct process){
          .type = get_string(table, "type"),
          .command = get_command(table),
          .args = get_strings(table, "args"),
          .direct = direct != NULL && equal(direct->text, "true"),
          .buildpack = get_string(table, "buildpack-id"),
          .directory = get_string(table, "working-dir"),
          .exec_env = get_strings(table, "exec-env"),
      };
    }
  }
  return metadata;
}
