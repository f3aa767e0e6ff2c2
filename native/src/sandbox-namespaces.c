#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

/* linux/keyctl.h and linux/capability.h are not everywhere. */
enum { JOIN_SESSION_KEYRING = 1, LAST_CAPABILITY = 63 };

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) stop("map", path);
  close(fd);
}

void map_user(const char *uid, const char *gid) {
  const char *owner = decimal(geteuid());
  const char *group = decimal(getegid());
  if (unshare(CLONE_NEWUSER) != 0) stop("user namespace", "");
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", join(uid, " ", owner, " 1\n", NULL));
  write_file("/proc/self/gid_map", join(gid, " ", group, " 1\n", NULL));
}

/* A new network namespace has a loopback interface that is down. */
static void raise_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) stop("loopback", "lo");
  close(fd);
}

void make_namespaces(bool network) {
  // Root needs no user namespace to mount, and what it mounts is beyond the reach of whatever runs inside.
  if (geteuid() != 0) map_user("0", "0");
  int kinds = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | (network ? CLONE_NEWNET : 0);
  if (unshare(kinds) != 0) stop("namespaces", "");
  // Not on every kernel, and nothing depends on it.
  (void)unshare(CLONE_NEWCGROUP);
  if (network) raise_loopback();
  pid_t child = fork();
  if (child < 0) stop("fork", "");
  if (child == 0) return;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

void set_hostname(const char *name) {
  if (sethostname(name, strlen(name)) != 0) stop("hostname", name);
}

static unsigned parse_id(const char *text) {
  char *end;
  errno = 0;
  unsigned long number = strtoul(text, &end, 10);
  if (errno != 0 || *text == '\0' || *end != '\0' || number >= UINT32_MAX) {
    errno = EINVAL;
    stop("become", text);
  }
  return (unsigned)number;
}

void become(const char *uid, const char *gid) {
  gid_t group = parse_id(gid);
  uid_t user = parse_id(uid);
  if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
    stop("become", uid);
  // After a change of user /proc/self belongs to root until one says otherwise.
  prctl(PR_SET_DUMPABLE, 1);
}

void give_up_privileges(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) stop("no new privileges", "");
  for (int capability = 0; capability <= LAST_CAPABILITY; capability++)
    if (prctl(PR_CAPBSET_READ, capability) == 1 && prctl(PR_CAPBSET_DROP, capability) != 0)
      stop("capability bounding set", "");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  struct {
    uint32_t version;
    int pid;
  } header = {.version = 0x20080522, .pid = 0};
  struct {
    uint32_t effective, permitted, inheritable;
  } none[2] = {{0}};
  if (syscall(SYS_capset, &header, none) != 0) stop("capabilities", "");
  // Keys of the user's session are not for the build. Not on every kernel.
  (void)syscall(SYS_keyctl, JOIN_SESSION_KEYRING, NULL);
  // The program has the same owner as this process, and must not reach into it.
  if (prctl(PR_SET_DUMPABLE, 0) != 0) stop("dumpable", "");
}
