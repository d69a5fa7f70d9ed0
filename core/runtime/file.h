/*
** Files: atomic writing, checked reading, folders, MD5. No Lua, no printing, nothing allocated.
** Every function that can fail returns false and puts one line into err: the path, what could not
** be done and why. No file descriptor outlives a call.
*/
#ifndef PL_FILE_H
#define PL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_MD5_HEX 33 /* 32 hex digits and a zero */

typedef struct pl_piece {
  const void *data;
  size_t size;
} pl_piece;

/* Writes the pieces one after another into a new file beside path, flushes it to the disk, renames
** it to path and flushes the folder: path holds either its old content or all of the new one.
** Follows a symbolic link; refuses a path that exists and is not a regular file. */
bool pl_write_file_atomic(const char *path, const pl_piece *pieces, int count, char *err,
                          size_t errlen);

/* Makes the folder and every missing one above it; one that exists already is fine. */
bool pl_make_dirs(const char *path, char *err, size_t errlen);
/* The same for the folders above path, not path itself. */
bool pl_make_parents(const char *path, char *err, size_t errlen);

/* The size of a regular file in bytes. */
bool pl_file_size(const char *path, int64_t *size, char *err, size_t errlen);
/* Reads exactly size bytes from offset on into memory; fewer in the file is an error. */
bool pl_read_file(const char *path, int64_t offset, void *memory, size_t size, char *err,
                  size_t errlen);

void pl_md5(const pl_piece *pieces, int count, char hex[PL_MD5_HEX]);
bool pl_md5_file(const char *path, char hex[PL_MD5_HEX], char *err, size_t errlen);

#endif
