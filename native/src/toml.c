#include "toml.h"

#include <setjmp.h>

#include "base.h"
#include "toml-reader.h"
#include "toml-scalar.h"

/* Deeper nesting than any file has, and far less than the stack holds. */
enum { MAX_DEPTH = 100 };

_Noreturn void toml_refuse(struct toml_reader *r, const char *message) {
  *r->error = (struct toml_error){.line = r->line, .message = message};
  longjmp(r->stop, 1);
}

/* ---- between the values ---- */

static void skip_comment(struct toml_reader *r) {
  if (toml_peek(r) != '#') return;
  for (; r->at < r->end && !toml_starts(r, "\n") && !toml_starts(r, "\r\n"); r->at++)
    if (toml_is_control(toml_peek(r))) toml_refuse(r, "a control character in a comment");
}

/* Blanks, comments and empty lines. */
static void skip_lines(struct toml_reader *r) {
  do {
    toml_skip_blanks(r);
    skip_comment(r);
  } while (toml_take_newline(r));
}

static void end_of_line(struct toml_reader *r) {
  toml_skip_blanks(r);
  skip_comment(r);
  if (!toml_take_newline(r) && r->at < r->end) toml_refuse(r, "expected the end of the line");
}

/* ---- values ---- */

static struct toml_value *read_value(struct toml_reader *r);
static void read_pair(struct toml_reader *r, struct toml_value *table);

static struct toml_value *read_array(struct toml_reader *r) {
  struct toml_value *array = toml_new(r, TOML_ARRAY);
  array->origin = TOML_CLOSED;
  r->at++;
  for (;;) {
    skip_lines(r);
    if (toml_peek(r) == ']') break;
    toml_append(array, read_value(r));
    skip_lines(r);
    if (toml_peek(r) == ']') break;
    if (toml_peek(r) != ',') toml_refuse(r, "expected `,` or `]` in an array");
    r->at++;
  }
  r->at++;
  return array;
}

static void close_tables(struct toml_value *table) {
  table->origin = TOML_CLOSED;
  for (struct toml_pair *pair = table->first; pair != NULL; pair = pair->next)
    if (pair->value->kind == TOML_TABLE && pair->value->origin == TOML_DOTTED) close_tables(pair->value);
}

static struct toml_value *read_inline_table(struct toml_reader *r) {
  struct toml_value *table = toml_new(r, TOML_TABLE);
  table->origin = TOML_HEADER;
  r->at++;
  for (;;) {
    skip_lines(r);
    if (toml_peek(r) == '}') break;
    read_pair(r, table);
    skip_lines(r);
    if (toml_peek(r) == '}') break;
    if (toml_peek(r) != ',') toml_refuse(r, "expected `,` or `}` in a table");
    r->at++;
  }
  r->at++;
  close_tables(table);
  return table;
}

static struct toml_value *read_scalar(struct toml_reader *r) {
  const char *start = r->at;
  struct toml_value *value = toml_new(r, TOML_BOOLEAN);
  r->at += scalar_length(r->at, (size_t)(r->end - r->at));
  value->length = (size_t)(r->at - start);
  value->text = copy(start, value->length);
  const char *wrong = classify_scalar(value->text, value->length, &value->kind);
  if (wrong != NULL) toml_refuse(r, wrong);
  return value;
}

static struct toml_value *read_value(struct toml_reader *r) {
  if (++r->depth > MAX_DEPTH) toml_refuse(r, "values nested too deeply");
  int c = toml_peek(r);
  struct toml_value *value = c == '"' || c == '\'' ? toml_read_string(r, true)
                             : c == '['            ? read_array(r)
                             : c == '{'            ? read_inline_table(r)
                                                   : read_scalar(r);
  r->depth--;
  return value;
}

/* ---- keys and tables ---- */

static bool is_bare(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static struct toml_value *read_key(struct toml_reader *r) {
  if (toml_peek(r) == '"' || toml_peek(r) == '\'') return toml_read_string(r, false);
  const char *start = r->at;
  while (is_bare(toml_peek(r))) r->at++;
  if (r->at == start) toml_refuse(r, "expected a key");
  struct toml_value *key = toml_new(r, TOML_STRING);
  key->length = (size_t)(r->at - start);
  key->text = copy(start, key->length);
  return key;
}

/* Whether a dot follows: then another part of the key is to be read. */
static bool take_dot(struct toml_reader *r) {
  toml_skip_blanks(r);
  if (toml_peek(r) != '.') return false;
  r->at++;
  toml_skip_blanks(r);
  return true;
}

static struct toml_value *make_table(struct toml_reader *r, struct toml_value *parent, const struct toml_value *key,
                                     enum toml_origin origin) {
  struct toml_value *table = toml_new(r, TOML_TABLE);
  table->origin = origin;
  toml_insert(r, parent, key->text, key->length, table);
  return table;
}

/* `a.b.c = value`: the tables on the way must be of such keys' making, since headers may not be added to from here. */
static void read_pair(struct toml_reader *r, struct toml_value *table) {
  struct toml_value *key = read_key(r);
  for (unsigned parts = 1; take_dot(r); parts++) {
    if (parts > MAX_DEPTH) toml_refuse(r, "values nested too deeply");
    struct toml_pair *pair = toml_find(r, table, key->text, key->length);
    if (pair == NULL) table = make_table(r, table, key, TOML_DOTTED);
    else if (pair->value->kind == TOML_TABLE && pair->value->origin == TOML_DOTTED) table = pair->value;
    else toml_refuse(r, "a key that is defined already");
    key = read_key(r);
  }
  if (toml_find(r, table, key->text, key->length) != NULL) toml_refuse(r, "a key that is defined already");
  if (toml_peek(r) != '=') toml_refuse(r, "expected `=` behind a key");
  r->at++;
  toml_skip_blanks(r);
  struct toml_value *value = read_value(r);
  toml_insert(r, table, key->text, key->length, value);
}

/* The table that a part of a header leads to: the last of an array's. */
static struct toml_value *step_into(struct toml_reader *r, struct toml_value *table, const struct toml_value *key) {
  struct toml_pair *pair = toml_find(r, table, key->text, key->length);
  if (pair == NULL) return make_table(r, table, key, TOML_IMPLICIT);
  struct toml_value *value = pair->value;
  if (value->origin == TOML_CLOSED) toml_refuse(r, "a table that was complete where it was defined");
  if (value->kind == TOML_TABLE) return value;
  if (value->kind == TOML_ARRAY) return value->items[value->count - 1];
  toml_refuse(r, "a header below a key that is no table");
}

static struct toml_value *define_table(struct toml_reader *r, struct toml_value *parent, const struct toml_value *key) {
  struct toml_pair *pair = toml_find(r, parent, key->text, key->length);
  if (pair == NULL) return make_table(r, parent, key, TOML_HEADER);
  if (pair->value->kind != TOML_TABLE || pair->value->origin != TOML_IMPLICIT)
    toml_refuse(r, "a table that is defined already");
  pair->value->origin = TOML_HEADER;
  return pair->value;
}

static struct toml_value *define_item(struct toml_reader *r, struct toml_value *parent, const struct toml_value *key) {
  struct toml_pair *pair = toml_find(r, parent, key->text, key->length);
  struct toml_value *array = pair == NULL ? toml_new(r, TOML_ARRAY) : pair->value;
  if (pair == NULL) toml_insert(r, parent, key->text, key->length, array);
  else if (array->kind != TOML_ARRAY || array->origin == TOML_CLOSED)
    toml_refuse(r, "an array of tables whose name is defined already");
  struct toml_value *item = toml_new(r, TOML_TABLE);
  item->origin = TOML_HEADER;
  toml_append(array, item);
  return item;
}

static struct toml_value *read_header(struct toml_reader *r, struct toml_value *root) {
  bool item = toml_starts(r, "[[");
  r->at += item ? 2 : 1;
  toml_skip_blanks(r);
  struct toml_value *table = root;
  struct toml_value *key = read_key(r);
  for (unsigned parts = 1; take_dot(r); parts++) {
    if (parts > MAX_DEPTH) toml_refuse(r, "values nested too deeply");
    table = step_into(r, table, key);
    key = read_key(r);
  }
  if (!toml_starts(r, item ? "]]" : "]")) toml_refuse(r, item ? "expected `]]`" : "expected `]`");
  r->at += item ? 2 : 1;
  return item ? define_item(r, table, key) : define_table(r, table, key);
}

struct toml_value *toml_read(const char *bytes, size_t length, struct toml_error *error) {
  struct toml_reader r = {.at = bytes, .end = bytes + length, .line = 1, .error = error};
  if (setjmp(r.stop) != 0) return NULL;
  toml_check_utf8(&r);
  toml_index(&r);
  if (toml_starts(&r, "\xef\xbb\xbf")) r.at += 3;
  struct toml_value *root = toml_new(&r, TOML_TABLE);
  root->origin = TOML_HEADER;
  struct toml_value *table = root;
  for (;;) {
    skip_lines(&r);
    if (r.at == r.end) return root;
    if (toml_peek(&r) == '[') table = read_header(&r, root);
    else read_pair(&r, table);
    end_of_line(&r);
  }
}
