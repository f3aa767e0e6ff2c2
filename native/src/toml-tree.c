#include <stdint.h>
#include <string.h>

#include "base.h"
#include "toml-reader.h"

enum { FIRST_BUCKETS = 64 };

struct toml_value *toml_new(struct toml_reader *r, enum toml_kind kind) {
  struct toml_value *value = allocate(sizeof *value);
  *value = (struct toml_value){.kind = kind, .line = r->line};
  return value;
}

static size_t hash(const struct toml_value *table, const char *key, size_t length) {
  uint64_t state = 14695981039346656037u ^ (uint64_t)(uintptr_t)table;
  for (size_t i = 0; i < length; i++) state = (state ^ (unsigned char)key[i]) * 1099511628211u;
  return (size_t)(state ^ state >> 32);
}

struct toml_pair *toml_find(struct toml_reader *r, const struct toml_value *table, const char *key, size_t length) {
  struct toml_pair *pair = r->buckets[hash(table, key, length) & (r->bucket_count - 1)];
  while (pair != NULL && (pair->table != table || pair->length != length || memcmp(pair->key, key, length) != 0))
    pair = pair->chain;
  return pair;
}

void toml_index(struct toml_reader *r) {
  size_t count = r->bucket_count == 0 ? FIRST_BUCKETS : r->bucket_count * 2;
  struct toml_pair **buckets = allocate(count * sizeof *buckets);
  memset(buckets, 0, count * sizeof *buckets);
  for (size_t i = 0; i < r->bucket_count; i++) {
    for (struct toml_pair *pair = r->buckets[i], *next; pair != NULL; pair = next) {
      next = pair->chain;
      size_t bucket = hash(pair->table, pair->key, pair->length) & (count - 1);
      pair->chain = buckets[bucket];
      buckets[bucket] = pair;
    }
  }
  r->buckets = buckets;
  r->bucket_count = count;
}

void toml_insert(struct toml_reader *r, struct toml_value *table, const char *key, size_t length,
                   struct toml_value *value) {
  if (r->pair_count == r->bucket_count) toml_index(r);
  size_t bucket = hash(table, key, length) & (r->bucket_count - 1);
  struct toml_pair *pair = allocate(sizeof *pair);
  *pair = (struct toml_pair){
      .key = key, .length = length, .value = value, .table = table, .chain = r->buckets[bucket]};
  r->buckets[bucket] = pair;
  r->pair_count++;
  if (table->last == NULL) table->first = pair;
  else table->last->next = pair;
  table->last = pair;
}

void toml_append(struct toml_value *array, struct toml_value *item) {
  if (array->count == array->room)
    array->items = reallocate(array->items, array->room = array->room * 2 + 4, sizeof *array->items);
  array->items[array->count++] = item;
}

struct toml_value *toml_get(const struct toml_value *table, const char *key) {
  size_t length = strlen(key);
  for (struct toml_pair *pair = table->first; pair != NULL; pair = pair->next)
    if (pair->length == length && memcmp(pair->key, key, length) == 0) return pair->value;
  return NULL;
}

const char *toml_kind_name(enum toml_kind kind) {
  static const char *const names[] = {"a string", "an integer", "a float", "a boolean",
                                      "a date",   "an array",   "a table"};
  return names[kind];
}
