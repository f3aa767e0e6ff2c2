#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"

enum { MAX_REQUEST = 32 << 20, EXIT_FAILED = 1 };

static void send_words(const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *at = words[i];
    for (size_t left = strlen(at) + 1; left > 0;) {
      ssize_t sent = write(CHANNEL, at, left);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return;
      at += sent;
      left -= (size_t)sent;
    }
  }
}

_Noreturn void stop(const char *step, const char *operand) {
  const char *words[] = {"failed", decimal((size_t)errno), step, operand};
  send_words(words, sizeof words / sizeof *words);
  _exit(EXIT_FAILED);
}

_Noreturn void answer(const char *kind, int number) {
  const char *words[] = {kind, decimal((size_t)number)};
  send_words(words, sizeof words / sizeof *words);
  _exit(0);
}

/* ---- the request ---- */

static void receive(char *bytes, size_t length) {
  while (length > 0) {
    ssize_t got = read(CHANNEL, bytes, length);
    if (got < 0 && errno == EINTR) continue;
    // Whoever asked is gone: nobody is there to answer to.
    if (got <= 0) _exit(EXIT_FAILED);
    bytes += got;
    length -= (size_t)got;
  }
}

struct words {
  char *at;
  const char *end;
};

static char *next(struct words *words) {
  if (words->at == words->end) {
    errno = EBADMSG;
    stop("request", "");
  }
  char *word = words->at;
  words->at += strlen(word) + 1;
  return word;
}

static struct words receive_request(void) {
  unsigned char size[4];
  receive((char *)size, sizeof size);
  size_t length = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
  errno = EBADMSG;
  if (length == 0 || length > MAX_REQUEST) stop("request", "");
  char *bytes = allocate(length);
  receive(bytes, length);
  errno = EBADMSG;
  if (bytes[length - 1] != '\0') stop("request", "");
  return (struct words){.at = bytes, .end = bytes + length};
}

static void add(char ***list, size_t *count, char *word) {
  // Room for one more and the closing NULL, doubled whenever the count reaches a power of two.
  if ((*count & (*count - 1)) == 0 || *count == 0)
    *list = reallocate(*list, (*count == 0 ? 1 : *count * 2) + 1, sizeof **list);
  (*list)[(*count)++] = word;
  (*list)[*count] = NULL;
}

static void do_step(struct words *words, struct command *command) {
  const char *step = next(words);
  if (equal(step, "argument")) {
    add(&command->arguments, &command->argument_count, next(words));
  } else if (equal(step, "variable")) {
    add(&command->environment, &command->variable_count, next(words));
  } else if (equal(step, "directory")) {
    command->directory = next(words);
  } else if (equal(step, "relay")) {
    command->relay = true;
  } else if (equal(step, "probe")) {
    answer("exited", 0);
  } else if (equal(step, "namespaces")) {
    make_namespaces(false);
  } else if (equal(step, "namespaces-without-network")) {
    make_namespaces(true);
  } else if (equal(step, "hostname")) {
    set_hostname(next(words));
  } else if (equal(step, "root")) {
    mount_root(next(words));
  } else if (equal(step, "bind") || equal(step, "bind-read-only")) {
    const char *source = next(words);
    mount_bind(source, next(words), equal(step, "bind"));
  } else if (equal(step, "tmpfs")) {
    mount_tmpfs(next(words));
  } else if (equal(step, "proc")) {
    mount_proc();
  } else if (equal(step, "dev")) {
    mount_dev();
  } else if (equal(step, "enter")) {
    enter_root();
  } else if (equal(step, "become")) {
    const char *uid = next(words);
    become(uid, next(words));
  } else if (equal(step, "map")) {
    const char *uid = next(words);
    map_user(uid, next(words));
  } else {
    errno = EBADMSG;
    stop("request", step);
  }
}

int main(void) {
  static char *no_variables[] = {NULL};
  umask(022);
  struct command command = {.directory = "/"};
  struct words words = receive_request();
  while (words.at < words.end) do_step(&words, &command);
  if (command.environment == NULL) command.environment = no_variables;
  errno = EBADMSG;
  if (command.argument_count == 0) stop("request", "argument");
  give_up_privileges();
  run_as_init(&command);
}
