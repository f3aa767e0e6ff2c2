#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "sandbox.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { FIRST_EXTRA_DESCRIPTOR = 3, MANY_DESCRIPTORS = 65536, CHUNK = 65536 };

/* ---- the program ---- */

/* What went wrong between fork and exec, for the parent: 4 bytes errno, then the step. */
struct failure {
  int number;
  char step[16];
};

static _Noreturn void report(int fd, const char *step) {
  struct failure failure = {.number = errno};
  memcpy(failure.step, step, strlen(step) + 1);
  (void)!write(fd, &failure, sizeof failure);
  _exit(127);
}

static void close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0u, 0) == 0) return;
  for (int fd = (int)first; fd < MANY_DESCRIPTORS; fd++) close(fd);
}

static _Noreturn void become_program(const struct command *command, int out, int err, int failures) {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (out >= 0 && (dup2(out, 1) < 0 || dup2(err, 2) < 0)) report(failures, "output");
  // The one descriptor that is still needed goes to a known place and closes by itself.
  if (dup3(failures, FIRST_EXTRA_DESCRIPTOR, O_CLOEXEC) < 0) report(failures, "output");
  failures = FIRST_EXTRA_DESCRIPTOR;
  close_from(FIRST_EXTRA_DESCRIPTOR + 1);
  setsid();
  if (chdir(command->directory) != 0) report(failures, "directory");
  const char *program = command->arguments[0];
  execve(program, command->arguments, command->environment);
  int number = errno;
  // ENOENT of a script's or a program's interpreter looks like that of the file itself.
  struct stat state;
  bool there = stat(program, &state) == 0;
  errno = number;
  report(failures, number == ENOENT && there ? "interpreter" : "program");
}

static pid_t start(const struct command *command, int out, int err) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) stop("pipe", "");
  pid_t pid = fork();
  if (pid < 0) stop("fork", "");
  if (pid == 0) become_program(command, out, err, ends[1]);
  close(ends[1]);
  struct failure failure;
  ssize_t got;
  while ((got = read(ends[0], &failure, sizeof failure)) < 0 && errno == EINTR);
  close(ends[0]);
  if (got == (ssize_t)sizeof failure) {
    errno = failure.number;
    stop(failure.step, equal(failure.step, "directory") ? command->directory : command->arguments[0]);
  }
  return pid;
}

/* ---- its output ---- */

struct stream {
  int from;
  int to;
};

static struct stream open_stream(int to, int *writable) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) stop("pipe", "");
  *writable = ends[1];
  return (struct stream){.from = ends[0], .to = to};
}

static void pass_on(struct stream *stream) {
  static char bytes[CHUNK];
  ssize_t got = read(stream->from, bytes, sizeof bytes);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) {
    close(stream->from);
    stream->from = -1;
    return;
  }
  for (const char *at = bytes; got > 0;) {
    ssize_t written = write(stream->to, at, (size_t)got);
    if (written < 0 && errno == EINTR) continue;
    // Nobody reads any more; the program's output goes nowhere, which is not its fault.
    if (written <= 0) return;
    at += written;
    got -= written;
  }
}

/* ---- until its end ---- */

/*
 * Takes the control byte that is there. A terminal's interrupt goes to all of its programs, any other signal to the one
 * that was started. Without a reader on the other side all ends here: the kernel ends the namespace with its init.
 */
static void obey(pid_t program) {
  unsigned char number;
  ssize_t got = read(CHANNEL, &number, 1);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) _exit(0);
  kill(number == SIGINT || number == SIGQUIT ? -program : program, number);
}

/* Takes all that ended; whether the program did. */
static bool reap(pid_t program, int *status) {
  bool ended = false;
  int any;
  pid_t pid;
  while ((pid = waitpid(-1, &any, WNOHANG)) > 0) {
    if (pid != program) continue;
    ended = true;
    *status = any;
  }
  return ended;
}

static void wait_for(pid_t program, struct stream *streams, int signals, int *status) {
  while (!reap(program, status)) {
    struct pollfd polled[] = {
        {.fd = CHANNEL, .events = POLLIN},
        {.fd = signals, .events = POLLIN},
        {.fd = streams[0].from, .events = POLLIN},
        {.fd = streams[1].from, .events = POLLIN},
    };
    if (poll(polled, sizeof polled / sizeof *polled, -1) < 0) continue;
    struct signalfd_siginfo ignored;
    if (polled[1].revents != 0) (void)!read(signals, &ignored, sizeof ignored);
    if (polled[0].revents != 0) obey(program);
    for (int i = 0; i < 2; i++)
      if (polled[2 + i].revents != 0) pass_on(&streams[i]);
  }
}

_Noreturn void run_as_init(const struct command *command) {
  // Below, everything that can be signalled is ended. Only the first process of a namespace may do that.
  errno = EPERM;
  if (getpid() != 1) stop("namespaces", "");
  // Whoever started this one; taken back by each change of user, so it stands here.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_ended, NULL);
  signal(SIGPIPE, SIG_IGN);
  int signals = signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) stop("signals", "");

  int out = -1;
  int err = -1;
  struct stream streams[] = {{.from = -1, .to = 1}, {.from = -1, .to = 2}};
  if (command->relay) {
    streams[0] = open_stream(1, &out);
    streams[1] = open_stream(2, &err);
  }
  pid_t program = start(command, out, err);
  if (command->relay) {
    close(out);
    close(err);
  }
  int status = 0;
  wait_for(program, streams, signals, &status);

  // What the program left running holds the pipes; without it they end after what is still in them.
  kill(-1, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
  for (int i = 0; i < 2; i++)
    while (streams[i].from >= 0) pass_on(&streams[i]);
  if (WIFEXITED(status)) answer("exited", WEXITSTATUS(status));
  answer("signalled", WTERMSIG(status));
}
