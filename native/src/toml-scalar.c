#include "toml-scalar.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base.h"

int digit_value(int c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

static bool is_part(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '+' || c == '-' ||
         c == '.' || c == ':';
}

size_t scalar_length(const char *bytes, size_t length) {
  size_t size = 0;
  while (size < length && is_part(bytes[size])) size++;
  // A date and a time of day may be parted by one blank.
  bool date = size == 10 && bytes[4] == '-' && bytes[7] == '-';
  if (date && length > 13 && bytes[10] == ' ' && is_digit(bytes[11]) && is_digit(bytes[12]) && bytes[13] == ':')
    for (size++; size < length && is_part(bytes[size]);) size++;
  return size;
}

/* ---- dates ---- */

/* `count` digits as a number within bounds, or -1; `*at` moves behind them. */
static int take_number(const char **at, int count, int low, int high) {
  int number = 0;
  for (int i = 0; i < count; i++, (*at)++) {
    if (!is_digit(**at)) return -1;
    number = number * 10 + (**at - '0');
  }
  return number >= low && number <= high ? number : -1;
}

static bool take(const char **at, char c) {
  if (**at != c) return false;
  (*at)++;
  return true;
}

static int days_of_month(int year, int month) {
  static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_day(const char **at) {
  int year = take_number(at, 4, 0, 9999);
  if (year < 0 || !take(at, '-')) return false;
  int month = take_number(at, 2, 1, 12);
  return month > 0 && take(at, '-') && take_number(at, 2, 1, days_of_month(year, month)) > 0;
}

static bool take_time(const char **at) {
  if (take_number(at, 2, 0, 23) < 0 || !take(at, ':') || take_number(at, 2, 0, 59) < 0) return false;
  // 60 is a leap second.
  if (take(at, ':') && take_number(at, 2, 0, 60) < 0) return false;
  if (!take(at, '.')) return true;
  if (!is_digit(**at)) return false;
  while (is_digit(**at)) (*at)++;
  return true;
}

static bool take_zone(const char **at) {
  if (**at == '\0' || take(at, 'Z') || take(at, 'z')) return true;
  if (!take(at, '+') && !take(at, '-')) return false;
  return take_number(at, 2, 0, 23) >= 0 && take(at, ':') && take_number(at, 2, 0, 59) >= 0;
}

static bool is_date(const char *text) {
  const char *at = text;
  if (text[2] == ':') return take_time(&at) && *at == '\0';
  if (!take_day(&at)) return false;
  if (*at == '\0') return true;
  if (!take(&at, 'T') && !take(&at, 't') && !take(&at, ' ')) return false;
  return take_time(&at) && take_zone(&at) && *at == '\0';
}

/* ---- numbers ---- */

/* Digits of a base with single underscores between them; behind the last one, or NULL. */
static const char *skip_digits(const char *at, int base) {
  for (bool digit = false;; at++) {
    int value = digit_value(*at);
    if (value >= 0 && value < base) digit = true;
    else if (*at == '_' && digit && digit_value(at[1]) >= 0 && digit_value(at[1]) < base) digit = false;
    else return digit ? at : NULL;
  }
}

static const char *integer_in_base(const char *digits, int base, bool negative) {
  const char *end = skip_digits(digits, base);
  if (end == NULL || *end != '\0') return "a value that is neither a string, a number, a boolean nor a date";
  uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
  uint64_t number = 0;
  for (const char *at = digits; *at != '\0'; at++) {
    if (*at == '_') continue;
    uint64_t digit = (uint64_t)digit_value(*at);
    if (number > (limit - digit) / (uint64_t)base) return "an integer beyond 64 bits";
    number = number * (uint64_t)base + digit;
  }
  return NULL;
}

static bool is_float(const char *at) {
  if (equal(at, "inf") || equal(at, "nan")) return true;
  if (at[0] == '0' && at[1] != '.' && at[1] != 'e' && at[1] != 'E') return false;
  at = skip_digits(at, 10);
  if (at == NULL || *at == '\0') return false;
  if (*at == '.' && (at = skip_digits(at + 1, 10)) == NULL) return false;
  if (*at == 'e' || *at == 'E') {
    at++;
    if (*at == '+' || *at == '-') at++;
    if ((at = skip_digits(at, 10)) == NULL) return false;
  }
  return *at == '\0';
}

static const char *classify_number(const char *text, enum toml_kind *kind) {
  bool negative = text[0] == '-';
  bool sign = negative || text[0] == '+';
  const char *digits = text + (sign ? 1 : 0);
  if (is_float(digits)) {
    *kind = TOML_FLOAT;
    return NULL;
  }
  *kind = TOML_INTEGER;
  if (!sign && has_prefix(text, "0x")) return integer_in_base(text + 2, 16, false);
  if (!sign && has_prefix(text, "0o")) return integer_in_base(text + 2, 8, false);
  if (!sign && has_prefix(text, "0b")) return integer_in_base(text + 2, 2, false);
  if (digits[0] == '0' && digits[1] != '\0') return "a number with a leading zero";
  return integer_in_base(digits, 10, negative);
}

const char *classify_scalar(const char *text, size_t length, enum toml_kind *kind) {
  if (length == 0) return "expected a value";
  if (equal(text, "true") || equal(text, "false")) {
    *kind = TOML_BOOLEAN;
    return NULL;
  }
  bool day = length >= 10 && text[4] == '-' && strspn(text, "0123456789") == 4;
  if (!day && (length < 5 || text[2] != ':')) return classify_number(text, kind);
  *kind = TOML_DATE;
  return is_date(text) ? NULL : "a date or time of day that does not exist";
}
