/* A disk that forgets: preloaded into a process, it remembers of the files below LF_HOME only what was synced.
 *
 * A file's content becomes durable by fsync or fdatasync of the file, its name by fsync of its folder, as POSIX
 * promises and no more. What is durable is kept below LF_SHADOW:
 *   inodes/<inode>-<birth time>   content at the last sync
 *   dirs/<path, / as %>           one line for each name: kind, key, name
 * Armed by lf_arm(n), the process kills itself at the n-th call that changes a file below LF_HOME; a write that is hit
 * writes its first half. lf_calls() counts those calls. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long calls = 0, kill_at = 0;
static int inside = 0;

long lf_calls(void) { return calls; }
void lf_arm(long n) { calls = 0; kill_at = n; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int below_home(const char *path, const char **rest) {
  const char *home = getenv("LF_HOME");
  size_t n = home ? strlen(home) : 0;
  if (!n || strncmp(path, home, n) || (path[n] && path[n] != '/')) return 0;
  if (rest) *rest = path[n] ? path + n + 1 : path + n;
  return 1;
}

static int fd_path(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, PATH_MAX - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return below_home(path, NULL);
}

/* 1 if this is the call at which to die */
static int count(void) {
  calls++;
  return kill_at && calls == kill_at;
}

static void die(void) { raise(SIGKILL); }

static int key_of(int dir, const char *name, char *key, size_t size) {
  struct statx s;
  if (statx(dir, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME | STATX_TYPE, &s)) return -1;
  if (!(s.stx_mask & STATX_BTIME)) _exit(77);
  snprintf(key, size, "%llu-%lld.%09u", (unsigned long long)s.stx_ino, (long long)s.stx_btime.tv_sec,
           s.stx_btime.tv_nsec);
  return S_ISDIR(s.stx_mode) ? 'd' : 'f';
}

static void keep_file(int fd, const char *key) {
  char aside[PATH_MAX], path[PATH_MAX], self[64], buffer[65536];
  snprintf(path, sizeof path, "%s/inodes/%s", getenv("LF_SHADOW"), key);
  snprintf(aside, sizeof aside, "%s.new", path);
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  int in = open(self, O_RDONLY), out = open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ssize_t n;
  while ((n = read(in, buffer, sizeof buffer)) > 0) REAL(write)(out, buffer, n);
  close(in);
  close(out);
  REAL(rename)(aside, path);
}

static void keep_names(const char *folder) {
  char aside[PATH_MAX], path[PATH_MAX], key[128];
  const char *rest;
  below_home(folder, &rest);
  int n = snprintf(path, sizeof path, "%s/dirs/", getenv("LF_SHADOW"));
  snprintf(path + n, sizeof path - n, "%s%%", rest);
  for (char *c = path + n; *c; c++)
    if (*c == '/') *c = '%';
  snprintf(aside, sizeof aside, "%s.new", path);
  FILE *out = fopen(aside, "w");
  DIR *dir = opendir(folder);
  struct dirent *entry;
  while ((entry = readdir(dir))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    int kind = key_of(dirfd(dir), entry->d_name, key, sizeof key);
    if (kind > 0) fprintf(out, "%c %s %s\n", kind, key, entry->d_name);
  }
  closedir(dir);
  fclose(out);
  REAL(rename)(aside, path);
}

static int synced(int fd, int real) {
  char path[PATH_MAX], key[128];
  if (inside || !fd_path(fd, path)) return real;
  if (count()) die();
  inside = 1;
  int kind = key_of(fd, "", key, sizeof key);
  if (kind == 'd') keep_names(path);
  if (kind == 'f') keep_file(fd, key);
  inside = 0;
  return real;
}

int fsync(int fd) { return synced(fd, REAL(fsync)(fd)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)(fd)); }

static int hit(int fd) {
  char path[PATH_MAX];
  return !inside && fd_path(fd, path) && count();
}

ssize_t write(int fd, const void *data, size_t n) {
  if (hit(fd)) {
    REAL(write)(fd, data, n / 2);
    die();
  }
  return REAL(write)(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  if (hit(fd)) {
    REAL(pwrite)(fd, data, n / 2, at);
    die();
  }
  return REAL(pwrite)(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  if (hit(fd)) {
    REAL(pwrite64)(fd, data, n / 2, at);
    die();
  }
  return REAL(pwrite64)(fd, data, n, at);
}

int ftruncate(int fd, off_t n) {
  if (hit(fd)) die();
  return REAL(ftruncate)(fd, n);
}

int ftruncate64(int fd, off64_t n) {
  if (hit(fd)) die();
  return REAL(ftruncate64)(fd, n);
}

int rename(const char *from, const char *to) {
  if (!inside && below_home(to, NULL) && count()) die();
  return REAL(rename)(from, to);
}

int unlink(const char *path) {
  if (!inside && below_home(path, NULL) && count()) die();
  return REAL(unlink)(path);
}
