/* Numbers, booleans and dates of TOML: how long one is, and which kind. */
#ifndef SLIPWAY_TOML_SCALAR_H
#define SLIPWAY_TOML_SCALAR_H

#include <stddef.h>

#include "toml.h"

/* The value of a digit of any base up to 16, or -1. */
int digit_value(int c);

/* How many bytes from here belong to a value without quotes. */
size_t scalar_length(const char *bytes, size_t length);

/* Finds the kind of a value without quotes; what is wrong with it, or NULL. `text` ends with a NUL. */
const char *classify_scalar(const char *text, size_t length, enum toml_kind *kind);

#endif
