/*
 * Reads TOML documents and prints them as JSON, for the comparison with another reader. On standard input each document
 * has its length before it, 4 bytes little endian; on standard output each has a line: the JSON, or the error as a string.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../src/toml.h"

static void print_string(const char *bytes, size_t length) {
  putchar('"');
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c == '"' || c == '\\') printf("\\%c", c);
    else if (c < 0x20) printf("\\u%04x", c);
    else putchar(c);
  }
  putchar('"');
}

static void print_value(const struct toml_value *value) {
  if (value->kind == TOML_TABLE) {
    putchar('{');
    for (const struct toml_pair *pair = value->first; pair != NULL; pair = pair->next) {
      if (pair != value->first) putchar(',');
      print_string(pair->key, pair->length);
      putchar(':');
      print_value(pair->value);
    }
    putchar('}');
  } else if (value->kind == TOML_ARRAY) {
    putchar('[');
    for (size_t i = 0; i < value->count; i++) {
      if (i > 0) putchar(',');
      print_value(value->items[i]);
    }
    putchar(']');
  } else if (value->kind == TOML_STRING) {
    print_string(value->text, value->length);
  } else {
    printf("{\"%s\":", toml_kind_name(value->kind));
    print_string(value->text, value->length);
    putchar('}');
  }
}

int main(void) {
  unsigned char size[4];
  while (fread(size, 1, sizeof size, stdin) == sizeof size) {
    size_t length = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    // Exactly as long as the document, so that a read behind its end is found.
    char *bytes = malloc(length == 0 ? 1 : length);
    if (fread(bytes, 1, length, stdin) != length) return 1;
    struct toml_error error;
    const struct toml_value *root = toml_read(bytes, length, &error);
    if (root != NULL) print_value(root);
    else printf("\"line %zu: %s\"", error.line, error.message);
    putchar('\n');
    free(bytes);
  }
  return 0;
}
