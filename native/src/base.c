#define _GNU_SOURCE
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_GENERIC = 1 };

void *allocate(size_t size) {
  void *memory = malloc(size == 0 ? 1 : size);
  if (memory == NULL) fail(EXIT_GENERIC, "out of memory", NULL);
  return memory;
}

void *reallocate(void *memory, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) fail(EXIT_GENERIC, "out of memory", NULL);
  void *grown = realloc(memory, count * size == 0 ? 1 : count * size);
  if (grown == NULL) fail(EXIT_GENERIC, "out of memory", NULL);
  return grown;
}

static char *join_list(const char *first, va_list list) {
  va_list again;
  va_copy(again, list);
  size_t length = 0;
  for (const char *part = first; part != NULL; part = va_arg(list, const char *)) length += strlen(part);
  char *text = allocate(length + 1);
  char *end = text;
  for (const char *part = first; part != NULL; part = va_arg(again, const char *)) {
    size_t size = strlen(part);
    memcpy(end, part, size);
    end += size;
  }
  *end = '\0';
  va_end(again);
  return text;
}

char *join(const char *first, ...) {
  va_list list;
  va_start(list, first);
  char *text = join_list(first, list);
  va_end(list);
  return text;
}

char *copy(const char *bytes, size_t length) {
  char *text = allocate(length + 1);
  if (length > 0) memcpy(text, bytes, length);
  text[length] = '\0';
  return text;
}

const char *decimal(size_t number) {
  char digits[24];
  char *at = digits + sizeof digits;
  *--at = '\0';
  do *--at = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  return copy(at, (size_t)(digits + sizeof digits - 1 - at));
}

bool equal(const char *a, const char *b) { return strcmp(a, b) == 0; }

bool has_prefix(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

char *child(const char *parent, const char *name) {
  size_t length = strlen(parent);
  return join(parent, length > 0 && parent[length - 1] == '/' ? "" : "/", name, NULL);
}

const char *reason(int number) {
  char *text = copy(strerror(number), strlen(strerror(number)));
  if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z')) text[0] += 'a' - 'A';
  return text;
}

static bool colours(void) {
  const char *off = getenv("CNB_NO_COLOR");
  // The words for true of Go's strconv.ParseBool.
  static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
  for (size_t i = 0; off != NULL && i < sizeof yes / sizeof *yes; i++)
    if (equal(off, yes[i])) return false;
  return isatty(2);
}

static void print(const char *colour, const char *label, const char *message) {
  const char *line = colours() ? join(colour, label, "\x1b[0m", message, "\n", NULL) : join(label, message, "\n", NULL);
  for (size_t left = strlen(line); left > 0;) {
    ssize_t written = write(2, line, left);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line += written;
    left -= (size_t)written;
  }
}

void warn(const char *first, ...) {
  va_list list;
  va_start(list, first);
  print("\x1b[33;1m", "Warning: ", join_list(first, list));
  va_end(list);
}

_Noreturn void fail(int code, const char *first, ...) {
  static bool failing;
  // Memory may be what is missing: say it without asking for more.
  if (failing) _exit(code);
  failing = true;
  va_list list;
  va_start(list, first);
  print("\x1b[31;1m", "ERROR: ", join_list(first, list));
  va_end(list);
  _exit(code);
}

char *read_descriptor(int fd, size_t limit, size_t *length) {
  // Most files are a few bytes: what is kept is no larger, so that hundreds of them touch few pages.
  static char chunk[1 << 16];
  size_t size = 0;
  char *bytes = NULL;
  for (;;) {
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got > 0 && size + (size_t)got > limit) {
      got = -1;
      errno = EFBIG;
    }
    if (got < 0) {
      int number = errno;
      free(bytes);
      errno = number;
      return NULL;
    }
    bytes = reallocate(bytes, size + (size_t)got + 1, 1);
    memcpy(bytes + size, chunk, (size_t)got);
    size += (size_t)got;
    if (got == 0) break;
  }
  bytes[size] = '\0';
  if (length != NULL) *length = size;
  return bytes;
}

char *read_file(const char *path, size_t limit, size_t *length) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  char *bytes = read_descriptor(fd, limit, length);
  int number = errno;
  close(fd);
  errno = number;
  return bytes;
}

static enum entry_kind kind_of(const char *directory, const struct dirent *entry) {
  if (entry->d_type == DT_DIR) return ENTRY_DIRECTORY;
  if (entry->d_type == DT_LNK) return ENTRY_LINK;
  if (entry->d_type != DT_UNKNOWN) return ENTRY_OTHER;
  // Some file systems do not say.
  struct stat state;
  if (lstat(child(directory, entry->d_name), &state) != 0) return ENTRY_OTHER;
  return S_ISDIR(state.st_mode) ? ENTRY_DIRECTORY : S_ISLNK(state.st_mode) ? ENTRY_LINK : ENTRY_OTHER;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

bool list_directory(const char *path, struct listing *listing) {
  *listing = (struct listing){0};
  DIR *directory = opendir(path);
  if (directory == NULL) return false;
  size_t room = 0;
  struct dirent *entry;
  errno = 0;
  while ((entry = readdir(directory)) != NULL) {
    if (equal(entry->d_name, ".") || equal(entry->d_name, "..")) continue;
    if (listing->count == room)
      listing->entries = reallocate(listing->entries, room = room * 2 + 8, sizeof *listing->entries);
    listing->entries[listing->count++] = (struct entry){
        .name = copy(entry->d_name, strlen(entry->d_name)),
        .kind = kind_of(path, entry),
    };
    errno = 0;
  }
  int number = errno;
  closedir(directory);
  errno = number;
  if (number != 0) return false;
  if (listing->count > 1) qsort(listing->entries, listing->count, sizeof *listing->entries, by_name);
  return true;
}
