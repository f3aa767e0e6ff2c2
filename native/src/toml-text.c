#include <stdint.h>
#include <string.h>

#include "base.h"
#include "toml-reader.h"
#include "toml-scalar.h"

/* ---- characters ---- */

int toml_peek(const struct toml_reader *r) { return r->at < r->end ? (unsigned char)*r->at : -1; }

bool toml_starts(const struct toml_reader *r, const char *text) {
  size_t length = strlen(text);
  return (size_t)(r->end - r->at) >= length && memcmp(r->at, text, length) == 0;
}

void toml_skip_blanks(struct toml_reader *r) {
  while (toml_peek(r) == ' ' || toml_peek(r) == '\t') r->at++;
}

/* Takes a line's end if there is one here. */
bool toml_take_newline(struct toml_reader *r) {
  size_t length = toml_starts(r, "\n") ? 1 : toml_starts(r, "\r\n") ? 2 : 0;
  r->at += length;
  if (length > 0) r->line++;
  return length > 0;
}

bool toml_is_control(int c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; }

/* Where the first byte is that does not belong to UTF-8, or NULL. */
static const char *not_utf8(const char *bytes, size_t length) {
  const unsigned char *at = (const unsigned char *)bytes;
  const unsigned char *end = at + length;
  while (at < end) {
    unsigned more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 : 3;
    if (more == 3 && (*at < 0xf0 || *at > 0xf4)) return (const char *)at;
    if ((size_t)(end - at) <= more) return (const char *)at;
    // Overlong forms, surrogates and what lies beyond Unicode show in the second byte.
    unsigned low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : 0x80;
    unsigned high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;
    if (more > 0 && (at[1] < low || at[1] > high)) return (const char *)at;
    for (unsigned i = 2; i <= more; i++)
      if ((at[i] & 0xc0) != 0x80) return (const char *)at;
    at += more + 1;
  }
  return NULL;
}

void toml_check_utf8(struct toml_reader *r) {
  const char *wrong = not_utf8(r->at, (size_t)(r->end - r->at));
  if (wrong == NULL) return;
  for (const char *at = r->at; at < wrong; at++) r->line += *at == '\n';
  toml_refuse(r, "bytes that are not UTF-8");
}

/* ---- strings ---- */

static char *put_rune(char *to, uint32_t rune) {
  if (rune < 0x80) *to++ = (char)rune;
  else if (rune < 0x800) {
    *to++ = (char)(0xc0 | rune >> 6);
    *to++ = (char)(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    *to++ = (char)(0xe0 | rune >> 12);
    *to++ = (char)(0x80 | (rune >> 6 & 0x3f));
    *to++ = (char)(0x80 | (rune & 0x3f));
  } else {
    *to++ = (char)(0xf0 | rune >> 18);
    *to++ = (char)(0x80 | (rune >> 12 & 0x3f));
    *to++ = (char)(0x80 | (rune >> 6 & 0x3f));
    *to++ = (char)(0x80 | (rune & 0x3f));
  }
  return to;
}

static char *put_code_point(struct toml_reader *r, char *to, unsigned digits) {
  uint32_t rune = 0;
  for (unsigned i = 0; i < digits; i++, r->at++) {
    int value = digit_value(toml_peek(r));
    if (value < 0 || value > 15) toml_refuse(r, "a character escape needs hexadecimal digits");
    rune = rune << 4 | (uint32_t)value;
  }
  if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) toml_refuse(r, "an escape that is no Unicode character");
  return put_rune(to, rune);
}

/* A backslash at a line's end takes all white space behind it along. */
static bool take_continuation(struct toml_reader *r) {
  const char *start = r->at;
  toml_skip_blanks(r);
  if (!toml_take_newline(r)) {
    r->at = start;
    return false;
  }
  do toml_skip_blanks(r);
  while (toml_take_newline(r));
  return true;
}

static char *put_escape(struct toml_reader *r, char *to, bool several_lines) {
  if (several_lines && take_continuation(r)) return to;
  static const char letters[] = "btnfre\"\\";
  static const char meanings[] = "\b\t\n\f\r\x1b\"\\";
  int c = toml_peek(r);
  const char *letter = c > 0 ? strchr(letters, c) : NULL;
  r->at++;
  if (letter != NULL) {
    *to++ = meanings[letter - letters];
    return to;
  }
  if (c == 'x') return put_code_point(r, to, 2);
  if (c == 'u') return put_code_point(r, to, 4);
  if (c == 'U') return put_code_point(r, to, 8);
  toml_refuse(r, "an unknown escape in a string");
}

struct toml_value *toml_read_string(struct toml_reader *r, bool several_lines_allowed) {
  struct toml_value *value = toml_new(r, TOML_STRING);
  char quote = *r->at;
  char triple[] = {quote, quote, quote, '\0'};
  bool several_lines = several_lines_allowed && toml_starts(r, triple);
  r->at += several_lines ? 3 : 1;
  if (several_lines) toml_take_newline(r);
  // No escape is shorter than what it stands for, so the rest of the document is room enough; a first look finds the
  // end to ask for less.
  const char *bound = r->at;
  for (; bound < r->end && (several_lines || *bound != '\n'); bound++) {
    if (quote == '"' && *bound == '\\' && bound + 1 < r->end) bound++;
    else if (*bound == quote && !several_lines) break;
    else if (several_lines && r->end - bound >= 3 && memcmp(bound, triple, 3) == 0) break;
  }
  // Up to two quotes more may stand before the closing three.
  char *start = allocate((size_t)(bound - r->at) + 3);
  char *to = start;
  for (;;) {
    int c = toml_peek(r);
    if (c < 0) toml_refuse(r, "a string that is not closed");
    if (c == quote && !several_lines) {
      r->at++;
      break;
    }
    if (several_lines && toml_starts(r, triple)) {
      r->at += 3;
      for (int extra = 0; extra < 2 && toml_peek(r) == quote; extra++, r->at++) *to++ = quote;
      break;
    }
    if (c == '\\' && quote == '"') {
      r->at++;
      to = put_escape(r, to, several_lines);
    } else if (several_lines && toml_take_newline(r)) {
      // The specification leaves \r\n to the reader; as written loses nothing.
      if (r->at[-2] == '\r') *to++ = '\r';
      *to++ = '\n';
    } else if (toml_is_control(c)) {
      toml_refuse(r, c == '\n' ? "a string that is not closed on its line" : "a control character in a string");
    } else {
      *to++ = *r->at++;
    }
  }
  *to = '\0';
  value->text = start;
  value->length = (size_t)(to - start);
  return value;
}
