/*
 * What the native programs share: text, files, directories, and how they end. No stdio: its formatted output alone
 * would be a third of the launcher.
 *
 * Memory is never given back: a program lives for milliseconds and then becomes another one.
 */
#ifndef SLIPWAY_BASE_H
#define SLIPWAY_BASE_H

#include <stdbool.h>
#include <stddef.h>

void *allocate(size_t size);
void *reallocate(void *memory, size_t count, size_t size);

/* The parts one after another; the list ends with NULL. */
char *join(const char *first, ...);
char *copy(const char *bytes, size_t length);
const char *decimal(size_t number);
bool equal(const char *a, const char *b);
bool has_prefix(const char *text, const char *prefix);
/* What stands behind the last slash. */
const char *base_name(const char *path);
/* `parent/name` with one slash between them. */
char *child(const char *parent, const char *name);
/* The text of errno in the words of Go's errors, which begin in lower case. */
const char *reason(int number);

/* One line on standard error in the reference's form: `Warning: …`, `ERROR: …`. The list ends with NULL. */
void warn(const char *first, ...);
_Noreturn void fail(int code, const char *first, ...);

/*
 * A whole file with a NUL behind its last byte, or NULL with errno set; EFBIG where it holds more than `limit` bytes.
 * `length` may be NULL.
 */
char *read_file(const char *path, size_t limit, size_t *length);
/* The same from a descriptor, until its end; the descriptor stays open. */
char *read_descriptor(int fd, size_t limit, size_t *length);

enum entry_kind { ENTRY_DIRECTORY, ENTRY_LINK, ENTRY_OTHER };

struct entry {
  char *name;
  enum entry_kind kind;
};

struct listing {
  struct entry *entries;
  size_t count;
};

/* The entries of a directory in the byte order of their names; false with errno set where it cannot be read. */
bool list_directory(const char *path, struct listing *listing);

#endif
