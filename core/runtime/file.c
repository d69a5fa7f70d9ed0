/*
** Files: atomic writing, checked reading, folders, MD5 (see file.h).
*/
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <md5.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  MAX_PATH = 4096,       /* Linux's PATH_MAX */
  MAX_TEMP_NAMES = 1000, /* leftovers of killed processes that had our process id */
  MAX_STEP = 1 << 30,    /* one read or write: below the 2 GB that Linux transfers at most */
  MD5_BUFFER = 64 * 1024
};

__attribute__((format(printf, 3, 4))) static bool fail(char *err, size_t errlen, const char *format,
                                                       ...) {
  va_list args;
  va_start(args, format);
  (void)vsnprintf(err, errlen, format, args);
  va_end(args);
  return false;
}

static bool fail_errno(char *err, size_t errlen, const char *path, const char *what, int code) {
  /* A path too long for any system must not push the reason out. */
  return fail(err, errlen, "%.*s: cannot %s: %s", MAX_PATH, path, what, strerror(code));
}

/* ---- folders --------------------------------------------------------------------------------- */

/* The folder that holds path: "." when path has no slash. */
static bool parent_of(const char *path, char folder[MAX_PATH]) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  while (length > 0 && path[length - 1] != '/') length--;
  while (length > 1 && path[length - 1] == '/') length--;
  if (length >= MAX_PATH) return false;
  if (length == 0) {
    folder[0] = '.';
    length = 1;
  } else {
    memcpy(folder, path, length);
  }
  folder[length] = '\0';
  return true;
}

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Without this a rename or a new folder may be gone after a power cut. */
static bool sync_folder(const char *path, char *err, size_t errlen) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    /* A folder one may write but not read cannot be flushed: its files are none the worse. */
    return errno == EACCES || fail_errno(err, errlen, path, "open the folder", errno);
  }
  int code = 0;
  while (fsync(fd) != 0) {
    if (errno == EINTR) continue;
    code = (errno == EINVAL || errno == EROFS) ? 0 : errno; /* file systems with nothing to flush */
    break;
  }
  (void)close(fd); /* opened for reading: nothing can be lost */
  return code == 0 || fail_errno(err, errlen, path, "flush the folder", code);
}

static bool make_one(const char *path, char *err, size_t errlen) {
  if (mkdir(path, 0777) == 0) {
    char folder[MAX_PATH];
    return !parent_of(path, folder) || sync_folder(folder, err, errlen);
  }
  int code = errno;
  if (is_folder(path)) return true; /* EEXIST, or EROFS and EACCES above a folder that exists */
  return fail_errno(err, errlen, path, "make the folder", code == EEXIST ? ENOTDIR : code);
}

bool pl_make_dirs(const char *path, char *err, size_t errlen) {
  char part[MAX_PATH];
  size_t length = strlen(path);
  if (length >= MAX_PATH) return fail_errno(err, errlen, path, "make the folder", ENAMETOOLONG);
  if (is_folder(path)) return true;
  memcpy(part, path, length + 1);
  for (size_t i = 1; i < length; i++) {
    if (part[i] != '/' || part[i - 1] == '/') continue;
    part[i] = '\0';
    if (!make_one(part, err, errlen)) return false;
    part[i] = '/';
  }
  return make_one(part, err, errlen);
}

bool pl_make_parents(const char *path, char *err, size_t errlen) {
  char folder[MAX_PATH];
  if (!parent_of(path, folder))
    return fail_errno(err, errlen, path, "make the folder", ENAMETOOLONG);
  return pl_make_dirs(folder, err, errlen);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool write_all(int fd, const pl_piece *piece) {
  const char *next = piece->data;
  size_t left = piece->size;
  while (left > 0) {
    ssize_t done = write(fd, next, left < MAX_STEP ? left : MAX_STEP);
    if (done < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (done == 0) {
      errno = EIO;
      return false;
    }
    next += done;
    left -= (size_t)done;
  }
  return true;
}

/* A new file in the folder, under a name that nothing has; -1 and errno on failure. */
static int open_temp(const char *folder, char temp[MAX_PATH]) {
  for (int i = 0; i < MAX_TEMP_NAMES; i++) {
    int length = snprintf(temp, MAX_PATH, "%s/.perilune-%ld-%d.tmp", folder, (long)getpid(), i);
    if (length < 0 || length >= MAX_PATH) {
      errno = ENAMETOOLONG;
      return -1;
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  errno = EEXIST;
  return -1;
}

/* Fills and closes fd; NULL, or what could not be done, with its errno in *code. */
static const char *fill(int fd, const pl_piece *pieces, int count, const struct stat *old,
                        int *code) {
  const char *what = NULL;
  for (int i = 0; i < count && what == NULL; i++) {
    if (!write_all(fd, &pieces[i])) what = "write";
  }
  if (what == NULL && old != NULL && fchmod(fd, old->st_mode & 0777) != 0)
    what = "keep the permissions";
  while (what == NULL && fsync(fd) != 0) {
    if (errno != EINTR) what = "flush to disk";
  }
  *code = errno;
  if (close(fd) != 0 && errno != EINTR && what == NULL) { /* after EINTR Linux has closed it */
    what = "close";
    *code = errno;
  }
  return what;
}

bool pl_write_file_atomic(const char *path, const pl_piece *pieces, int count, char *err,
                          size_t errlen) {
  char folder[MAX_PATH], temp[MAX_PATH], target[PATH_MAX];
  struct stat link, old;
  const char *final = path;
  /* A rename onto a symbolic link would replace the link instead of its file. */
  if (lstat(path, &link) == 0 && S_ISLNK(link.st_mode) && realpath(path, target) != NULL)
    final = target;
  bool exists = stat(final, &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) return fail_errno(err, errlen, path, "write", EISDIR);
  /* Else root's rename would put a plain file in the place of /dev/null. */
  if (exists && !S_ISREG(old.st_mode))
    return fail(err, errlen, "%s: cannot write: not a regular file", path);
  if (!parent_of(final, folder)) return fail_errno(err, errlen, path, "write", ENAMETOOLONG);

  int fd = open_temp(folder, temp);
  if (fd < 0) return fail_errno(err, errlen, path, "write", errno);
  int code = 0;
  const char *what = fill(fd, pieces, count, exists ? &old : NULL, &code);
  if (what == NULL && rename(temp, final) != 0) {
    what = "write";
    code = errno;
  }
  if (what != NULL) {
    (void)unlink(temp); /* the first failure is the one to report */
    return fail_errno(err, errlen, path, what, code);
  }
  return sync_folder(folder, err, errlen);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Opens a regular file and finds its size; -1 with err filled. */
static int open_to_read(const char *path, int64_t *size, char *err, size_t errlen) {
  struct stat info;
  /* Without O_NONBLOCK a named pipe would be waited for. */
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    (void)fail_errno(err, errlen, path, "open", errno);
    return -1;
  }
  if (fstat(fd, &info) != 0) {
    (void)fail_errno(err, errlen, path, "open", errno);
  } else if (S_ISDIR(info.st_mode)) {
    (void)fail_errno(err, errlen, path, "read", EISDIR);
  } else if (!S_ISREG(info.st_mode)) {
    (void)fail(err, errlen, "%s: cannot read: not a regular file", path);
  } else {
    *size = (int64_t)info.st_size;
    return fd;
  }
  (void)close(fd);
  return -1;
}

/* Bytes read (fewer than size only at the end of the file), or -1 and errno. */
static ssize_t read_some(int fd, void *memory, size_t size) {
  ssize_t done;
  do {
    done = read(fd, memory, size < MAX_STEP ? size : MAX_STEP);
  } while (done < 0 && errno == EINTR);
  return done;
}

bool pl_file_size(const char *path, int64_t *size, char *err, size_t errlen) {
  int fd = open_to_read(path, size, err, errlen);
  if (fd < 0) return false;
  (void)close(fd);
  return true;
}

bool pl_read_file(const char *path, int64_t offset, void *memory, size_t size, char *err,
                  size_t errlen) {
  int64_t have = 0;
  int fd = open_to_read(path, &have, err, errlen);
  if (fd < 0) return false;
  bool ok = true;
  int64_t after = have > offset ? have - offset : 0;
  if (offset < 0 || size > (uint64_t)after) {
    ok = fail(err, errlen, "%s: expected %zu bytes from offset %lld on, got %lld", path, size,
              (long long)offset, (long long)after);
  } else if (lseek(fd, (off_t)offset, SEEK_SET) < 0) {
    ok = fail_errno(err, errlen, path, "read", errno);
  }
  char *next = memory;
  size_t left = size;
  while (ok && left > 0) {
    ssize_t done = read_some(fd, next, left);
    if (done < 0) {
      ok = fail_errno(err, errlen, path, "read", errno);
    } else if (done == 0) {
      ok = fail(err, errlen, "%s: ended %zu bytes early while it was read", path, left);
    } else {
      next += done;
      left -= (size_t)done;
    }
  }
  (void)close(fd);
  return ok;
}

/* ---- MD5 ------------------------------------------------------------------------------------- */

static void finish_md5(MD5_CTX *state, char hex[PL_MD5_HEX]) {
  static const char digits[] = "0123456789abcdef";
  uint8_t digest[MD5_DIGEST_LENGTH];
  MD5Final(digest, state);
  for (int i = 0; i < MD5_DIGEST_LENGTH; i++) {
    hex[2 * i] = digits[digest[i] >> 4];
    hex[2 * i + 1] = digits[digest[i] & 15];
  }
  hex[2 * MD5_DIGEST_LENGTH] = '\0';
}

void pl_md5(const pl_piece *pieces, int count, char hex[PL_MD5_HEX]) {
  MD5_CTX state;
  MD5Init(&state);
  for (int i = 0; i < count; i++) {
    if (pieces[i].size > 0) MD5Update(&state, pieces[i].data, pieces[i].size);
  }
  finish_md5(&state, hex);
}

bool pl_md5_file(const char *path, char hex[PL_MD5_HEX], char *err, size_t errlen) {
  uint8_t buffer[MD5_BUFFER];
  int64_t size = 0;
  int fd = open_to_read(path, &size, err, errlen);
  if (fd < 0) return false;
  MD5_CTX state;
  MD5Init(&state);
  ssize_t done;
  while ((done = read_some(fd, buffer, sizeof buffer)) > 0) MD5Update(&state, buffer, (size_t)done);
  int code = errno;
  (void)close(fd);
  if (done < 0) return fail_errno(err, errlen, path, "read", code);
  finish_md5(&state, hex);
  return true;
}
