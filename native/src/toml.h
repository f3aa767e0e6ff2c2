/*
 * A whole TOML 1.1 reader (and so of 1.0): every kind of string, number, date, array and table, and every rule about
 * defining something twice. Numbers and dates are checked and kept as written, because nothing here computes with them.
 */
#ifndef SLIPWAY_TOML_H
#define SLIPWAY_TOML_H

#include <stdbool.h>
#include <stddef.h>

/* How a table or an array came about, which decides what may still be added to it. */
enum toml_origin { TOML_IMPLICIT, TOML_HEADER, TOML_DOTTED, TOML_CLOSED };

enum toml_kind { TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOLEAN, TOML_DATE, TOML_ARRAY, TOML_TABLE };

struct toml_value {
  enum toml_kind kind;
  /* Where it begins, from 1. */
  size_t line;
  /* TOML_STRING: its bytes, a NUL behind them; numbers, booleans and dates: as written. */
  const char *text;
  size_t length;
  /* TOML_ARRAY */
  struct toml_value **items;
  size_t count;
  size_t room;
  /* TOML_TABLE: in the order of definition. */
  struct toml_pair *first;
  struct toml_pair *last;
  enum toml_origin origin;
};

struct toml_pair {
  const char *key;
  size_t length;
  struct toml_value *value;
  struct toml_pair *next;
  /* The reader's own index. */
  struct toml_value *table;
  struct toml_pair *chain;
};

struct toml_error {
  size_t line;
  const char *message;
};

/* The document's table, or NULL with `error` filled in. `bytes` may hold anything, NULs too. */
struct toml_value *toml_read(const char *bytes, size_t length, struct toml_error *error);

/* The value of a key of a table, or NULL. */
struct toml_value *toml_get(const struct toml_value *table, const char *key);

/* `a string`, `an integer` … for messages. */
const char *toml_kind_name(enum toml_kind kind);

#endif
