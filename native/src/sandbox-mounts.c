#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

/* linux/mount.h is not everywhere, and quarrels with sys/mount.h where it is. */
enum { SET_READ_ONLY = 1, SET_NO_SUID = 2, SET_NO_DEVICES = 4, RECURSIVELY = 0x8000 };

static const char *root;

static const char *below_root(const char *target) { return join(root, target, NULL); }

/*
 * Flags of a bind mount. Kernels before 5.12 know no way to set them for all mounts below at once; there they are set for
 * the mount itself, with those kept that a user namespace must not clear.
 */
static void set_flags(const char *path, bool writable, bool devices) {
  struct {
    uint64_t set, clear, propagation, userns;
  } attributes = {
      .set = SET_NO_SUID | (writable ? 0 : SET_READ_ONLY) | (devices ? 0 : SET_NO_DEVICES),
  };
  if (syscall(SYS_mount_setattr, AT_FDCWD, path, RECURSIVELY, &attributes, sizeof attributes) == 0) return;
  if (errno != ENOSYS) stop("mount flags", path);
  struct statvfs state;
  if (statvfs(path, &state) != 0) stop("mount flags", path);
  unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | (writable ? 0 : MS_RDONLY) | (devices ? 0 : MS_NODEV);
  if ((state.f_flag & ST_RDONLY) != 0) flags |= MS_RDONLY;
  if ((state.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  if ((state.f_flag & ST_NODEV) != 0) flags |= MS_NODEV;
  if ((state.f_flag & ST_NOATIME) != 0) flags |= MS_NOATIME;
  if ((state.f_flag & ST_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((state.f_flag & ST_RELATIME) != 0) flags |= MS_RELATIME;
  if (mount(NULL, path, NULL, flags, NULL) != 0) stop("mount flags", path);
}

static void bind(const char *source, const char *target, bool writable, bool devices) {
  if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0) stop("mount", source);
  set_flags(target, writable, devices);
}

void mount_root(const char *source) {
  // What is mounted from here on stays in this namespace.
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) stop("mount", "/");
  root = source;
  bind(source, source, false, false);
}

static void make_directory(const char *path) {
  if (mkdir(path, 0755) == 0) {
    // Everybody's, as the fresh directory is that it stands in.
    if (chmod(path, 01777) != 0) stop("make", path);
  } else if (errno != EEXIST) {
    stop("make", path);
  }
}

/* A directory with its parents, or an empty file, to mount on. Only a tmpfs lacks them: the root has been prepared. */
static void make_point(const char *path, bool directory) {
  if (access(path, F_OK) == 0) return;
  for (const char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
    make_directory(copy(path, (size_t)(slash - path)));
  if (directory) {
    make_directory(path);
    return;
  }
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) stop("make", path);
  close(fd);
}

void mount_bind(const char *source, const char *target, bool writable) {
  const char *path = below_root(target);
  struct stat state;
  if (stat(source, &state) != 0) stop("mount", source);
  make_point(path, S_ISDIR(state.st_mode));
  bind(source, path, writable, false);
}

void mount_tmpfs(const char *target) {
  const char *path = below_root(target);
  make_point(path, true);
  if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) stop("mount", path);
}

void mount_proc(void) {
  const char *path = below_root("/proc");
  if (mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) stop("mount", path);
}

void mount_dev(void) {
  static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
  static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                         {"/proc/self/fd/0", "stdin"},
                                         {"/proc/self/fd/1", "stdout"},
                                         {"/proc/self/fd/2", "stderr"},
                                         {"pts/ptmx", "ptmx"}};
  const char *dev = below_root("/dev");
  if (mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755") != 0) stop("mount", dev);
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
    const char *path = child(dev, nodes[i]);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) stop("make", path);
    close(fd);
    bind(child("/dev", nodes[i]), path, true, true);
  }
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlink(links[i][0], child(dev, links[i][1])) != 0) stop("make", links[i][1]);
  const char *terminals = child(dev, "pts");
  const char *memory = child(dev, "shm");
  if (mkdir(terminals, 0755) != 0 || mkdir(memory, 0755) != 0) stop("make", dev);
  if (mount("devpts", terminals, "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") != 0)
    stop("mount", terminals);
  if (mount("tmpfs", memory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) stop("mount", memory);
}

void enter_root(void) {
  // The old root lands on top of the new one, and is taken away from there (pivot_root(2), "pivot_root(".", ".")").
  if (chdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
    stop("enter", root);
}
