/*
 * What the parts of the TOML reader share: where it is, the tree that it builds (toml-tree.c), and the texts that it reads
 * from characters (toml-text.c). toml.c holds the grammar.
 */
#ifndef SLIPWAY_TOML_READER_H
#define SLIPWAY_TOML_READER_H

#include <setjmp.h>

#include "toml.h"

struct toml_reader {
  const char *at;
  const char *end;
  size_t line;
  unsigned depth;
  /* The index of all pairs by table and key; a power of two. */
  struct toml_pair **buckets;
  size_t bucket_count;
  size_t pair_count;
  struct toml_error *error;
  jmp_buf stop;
};

/* Gives the document up: toml_read answers with this message. */
_Noreturn void toml_refuse(struct toml_reader *r, const char *message);

/* ---- toml-tree.c ---- */

struct toml_value *toml_new(struct toml_reader *r, enum toml_kind kind);
struct toml_pair *toml_find(struct toml_reader *r, const struct toml_value *table, const char *key, size_t length);
/* Adds a pair whose key is known to be new. */
void toml_insert(struct toml_reader *r, struct toml_value *table, const char *key, size_t length,
                 struct toml_value *value);
void toml_append(struct toml_value *array, struct toml_value *item);
/* Makes room in the index; before the first pair, too. */
void toml_index(struct toml_reader *r);

/* ---- toml-text.c ---- */

/* The next byte, or -1. */
int toml_peek(const struct toml_reader *r);
bool toml_starts(const struct toml_reader *r, const char *text);
void toml_skip_blanks(struct toml_reader *r);
/* Takes a line's end if there is one here. */
bool toml_take_newline(struct toml_reader *r);
bool toml_is_control(int c);
/* Gives up where the document is not UTF-8. */
void toml_check_utf8(struct toml_reader *r);
/* A string from its quote on; a key cannot go over several lines. */
struct toml_value *toml_read_string(struct toml_reader *r, bool several_lines_allowed);

#endif
