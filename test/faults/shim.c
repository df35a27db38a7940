/*
 * A library to be preloaded: it numbers the calls by which the main process of chrootfile changes something, and
 * does one fault at one of them. Only node itself counts: the shells before it pass the library on, and its children
 * do not get it.
 *
 *   CHROOTFILE_FAULT_ROOTS  paths, separated by colons; calls that touch nothing below them do not count
 *   CHROOTFILE_FAULT_COUNT  a file that gets a line "N call path" for each call
 *   CHROOTFILE_FAULT_AT     the number of the call at which the fault happens
 *   CHROOTFILE_FAULT        KILL, TERM, INT, HUP: the signal, before the call;
 *                           ENOSPC, EIO: the call fails once and has no effect; EIO+: it and all later ones fail;
 *                           SHORT: of a write, half of it is written, and the next two writes fail, as on a full disk;
 *                           LATE: of a fork, KILL a moment after it, while the child is at work
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pid_t counted; /* the process whose calls count; 0 for none */
static atomic_long calls;
static atomic_int broken; /* EIO+ has begun */
static long at;
static atomic_int full; /* SHORT: how many writes it still meets */
static int error_number, signal_number, lasting, late, halves;
static int log_fd = -1;
static char roots[8 * PATH_MAX];

static void read_fault(const char *name) {
  halves = name != NULL && strcmp(name, "SHORT") == 0;
  static const struct { const char *name; int error, signal, lasting, late; } faults[] = {
      {"KILL", 0, SIGKILL, 0, 0}, {"TERM", 0, SIGTERM, 0, 0}, {"INT", 0, SIGINT, 0, 0}, {"HUP", 0, SIGHUP, 0, 0},
      {"ENOSPC", ENOSPC, 0, 0, 0}, {"EIO", EIO, 0, 0, 0}, {"EIO+", EIO, 0, 1, 0}, {"LATE", 0, SIGKILL, 0, 1}, {"SHORT", 0, 0, 0, 0}};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    if (name != NULL && strcmp(name, faults[i].name) == 0) {
      error_number = faults[i].error;
      signal_number = faults[i].signal;
      lasting = faults[i].lasting;
      late = faults[i].late;
    }
}

__attribute__((constructor)) static void begin(void) {
  char exe[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (length <= 0) return;
  exe[length] = 0;
  const char *base = strrchr(exe, '/');
  if (base == NULL || strcmp(base, "/node") != 0) return;
  const char *given = getenv("CHROOTFILE_FAULT_ROOTS"), *file = getenv("CHROOTFILE_FAULT_COUNT"), *number = getenv("CHROOTFILE_FAULT_AT");
  /* The launcher asks a first process for the one that holds the mounts of a kept run. */
  if (given != NULL && getenv("CHROOTFILE_PRINT_KEEPER") == NULL) {
    counted = getpid();
    snprintf(roots, sizeof roots, "%s", given);
    at = number == NULL ? 0 : atol(number);
    read_fault(getenv("CHROOTFILE_FAULT"));
    if (file != NULL) log_fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* The program closes and counts its own descriptors: this one is out of their way. */
    if (log_fd >= 0) {
      int high = fcntl(log_fd, F_DUPFD_CLOEXEC, 900);
      if (high >= 0) {
        syscall(SYS_close, log_fd);
        log_fd = high;
      }
    }
  }
  unsetenv("LD_PRELOAD");
  unsetenv("CHROOTFILE_FAULT_ROOTS");
  unsetenv("CHROOTFILE_FAULT_COUNT");
  unsetenv("CHROOTFILE_FAULT_AT");
  unsetenv("CHROOTFILE_FAULT");
}

static int is_counted(void) { return counted != 0 && getpid() == counted; }

static int below_a_root(const char *path) {
  const char *root = roots;
  while (*root != 0) {
    size_t length = strcspn(root, ":");
    if (length > 0 && strncmp(path, root, length) == 0) return 1;
    root += length;
    if (*root == ':') root++;
  }
  return 0;
}

/* Counts a call and does the fault where it is due. Gives the error that the call must fail with, or 0. */
static int count(const char *call, const char *path) {
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (log_fd >= 0) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    if (length > 0) syscall(SYS_write, log_fd, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
  }
  if (number != at) return atomic_load(&broken) ? error_number : 0;
  if (signal_number != 0 && !late) kill(getpid(), signal_number);
  if (lasting) atomic_store(&broken, 1);
  if (halves) atomic_store(&full, 3);
  return error_number;
}

static int count_path(const char *call, int folder, const char *path) {
  if (!is_counted() || path == NULL) return 0;
  char whole[2 * PATH_MAX];
  if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
  else {
    char base[PATH_MAX] = "", link[64] = "/proc/self/cwd";
    if (folder != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, base, sizeof base - 1);
    base[length < 0 ? 0 : length] = 0;
    snprintf(whole, sizeof whole, "%s/%s", base, path);
  }
  return below_a_root(whole) ? count(call, whole) : 0;
}

static int count_file(const char *call, int fd) {
  if (!is_counted()) return 0;
  struct stat status;
  if (fstat(fd, &status) != 0 || !(S_ISREG(status.st_mode) || (S_ISDIR(status.st_mode) && strstr(call, "sync") != NULL))) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  return below_a_root(path) ? count(call, path) : 0;
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define FAIL(error) \
  do { \
    int number_ = (error); \
    if (number_ != 0) { errno = number_; return -1; } \
  } while (0)

/* A call on an open file. */
#define ON_FILE(type, name, parameters, arguments) \
  type name parameters { \
    REAL(name); \
    FAIL(count_file(#name, fd)); \
    return real arguments; \
  }

/* How much of a write is done: half of it when the disk gets full. Two more fail: libuv says nothing of the first, having written something. */
#define WRITE(name, parameters, half, arguments) \
  ssize_t name parameters { \
    REAL(name); \
    FAIL(count_file(#name, fd)); \
    if (is_counted() && is_regular(fd)) { \
      int now = atomic_load(&full); \
      if (now > 0) atomic_store(&full, now - 1); \
      if (now == 3) return real half; \
      FAIL(now > 0 ? ENOSPC : 0); \
    } \
    return real arguments; \
  }

static int is_regular(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

WRITE(write, (int fd, const void *data, size_t size), (fd, data, size / 2), (fd, data, size))
WRITE(pwrite, (int fd, const void *data, size_t size, off_t place), (fd, data, size / 2, place), (fd, data, size, place))
WRITE(pwrite64, (int fd, const void *data, size_t size, off64_t place), (fd, data, size / 2, place), (fd, data, size, place))
ON_FILE(ssize_t, writev, (int fd, const struct iovec *parts, int many), (fd, parts, many))
ON_FILE(ssize_t, pwritev, (int fd, const struct iovec *parts, int many, off_t place), (fd, parts, many, place))
ON_FILE(ssize_t, pwritev64, (int fd, const struct iovec *parts, int many, off64_t place), (fd, parts, many, place))
ON_FILE(int, fsync, (int fd), (fd))
ON_FILE(int, fdatasync, (int fd), (fd))
ON_FILE(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FILE(int, ftruncate64, (int fd, off64_t size), (fd, size))

ssize_t copy_file_range(int from, off64_t *from_place, int to, off64_t *to_place, size_t size, unsigned flags) {
  REAL(copy_file_range);
  FAIL(count_file("copy_file_range", to));
  return real(from, from_place, to, to_place, size, flags);
}

/* What is there already is not made, and what is not there is not removed: such calls change nothing. */
static int changes(const char *call, int folder, const char *path) {
  if (path == NULL) return 0;
  int saved = errno, makes = strncmp(call, "mkdir", 5) == 0, removes = strncmp(call, "unlink", 6) == 0 || strcmp(call, "rmdir") == 0;
  struct stat status;
  int there = (makes || removes) ? fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0 : 0;
  errno = saved;
  return (!makes && !removes) || there == removes;
}

/* A call on a path. */
#define ON_PATH(name, parameters, folder, path, arguments) \
  int name parameters { \
    REAL(name); \
    if (is_counted() && changes(#name, folder, path)) FAIL(count_path(#name, folder, path)); \
    return real arguments; \
  }

ON_PATH(rename, (const char *from, const char *to), AT_FDCWD, to, (from, to))
ON_PATH(renameat, (int a, const char *from, int b, const char *to), b, to, (a, from, b, to))
ON_PATH(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), b, to, (a, from, b, to, flags))
ON_PATH(unlink, (const char *path), AT_FDCWD, path, (path))
ON_PATH(unlinkat, (int folder, const char *path, int flags), folder, path, (folder, path, flags))
ON_PATH(mkdir, (const char *path, mode_t mode), AT_FDCWD, path, (path, mode))
ON_PATH(mkdirat, (int folder, const char *path, mode_t mode), folder, path, (folder, path, mode))
ON_PATH(rmdir, (const char *path), AT_FDCWD, path, (path))
ON_PATH(symlink, (const char *target, const char *path), AT_FDCWD, path, (target, path))
ON_PATH(symlinkat, (const char *target, int folder, const char *path), folder, path, (target, folder, path))
ON_PATH(link, (const char *from, const char *to), AT_FDCWD, to, (from, to))
ON_PATH(linkat, (int a, const char *from, int b, const char *to, int flags), b, to, (a, from, b, to, flags))
ON_PATH(truncate, (const char *path, off_t size), AT_FDCWD, path, (path, size))
ON_PATH(truncate64, (const char *path, off64_t size), AT_FDCWD, path, (path, size))

/* An open that may make a file. */
#define OPEN(name, parameters, folder, with_mode, without_mode) \
  int name parameters { \
    REAL(name); \
    if ((flags & (O_CREAT | O_TMPFILE)) == 0) return real without_mode; \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest); \
    FAIL(count_path(#name, folder, path)); \
    return real with_mode; \
  }

OPEN(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode), (path, flags))
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode), (path, flags))
OPEN(openat, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode), (folder, path, flags))
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode), (folder, path, flags))

static pid_t counted_fork(void) {
  REAL(fork);
  if (!is_counted()) return real();
  int error = count("fork", "-");
  /* What fork itself says when it fails. */
  FAIL(error == 0 ? 0 : EAGAIN);
  long number = atomic_load(&calls);
  pid_t child = real();
  if (child > 0 && late && number == at) {
    usleep(3000);
    kill(getpid(), signal_number);
  }
  return child;
}

pid_t fork(void) { return counted_fork(); }
/* A wrapper of the true vfork would return twice on one stack. */
pid_t vfork(void) { return counted_fork(); }
