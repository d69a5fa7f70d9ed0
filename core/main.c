/*
** perilune: Lua 5.4's stand-alone interpreter with perilune's core linked in, and the example of
** how a C program embeds it. What an embedder needs is in open_perilune: hand Lua the core's
** opening function, and say where the Lua half of the library lies. The rest is a command line.
*/
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "perilune.h"
#include "terminal.h"

typedef struct {
  int argc;
  char **argv;
  int script; /* index of the script in argv; argc when there is none */
  bool help, version, prompt, code, no_env, warn;
  const char *fault; /* the option that could not be read */
} command_line;

static const char usage[] =
    "usage: perilune [options] [script [args]]\n"
    "With no script: a prompt on a terminal, otherwise Lua is read from standard input.\n"
    "  -e code     run code (as a script does, it starts with: local pl = require \"perilune\")\n"
    "  -l name     require name into a global;  -l g=name  into the global g\n"
    "  -i          prompt after running what else was asked for\n"
    "  -v          say the version\n"
    "  -E          ignore LUA_INIT, LUA_PATH and LUA_CPATH\n"
    "  -W          turn warnings on\n"
    "  -h          this page\n"
    "  --          end of options\n"
    "  -           run standard input as a file\n"
    "At the prompt pl is there already: try help(), pl.zeros(2, 3), Tab and Ctrl-D.\n";

/* ---- the embedding --------------------------------------------------------------------------- */

/* Writes the folder of the running program, without a slash at its end, into folder. */
static bool program_folder(const char *argv0, char *folder, size_t size) {
  ssize_t length = readlink("/proc/self/exe", folder, size);
  if (length < 0 || (size_t)length >= size) { /* not Linux: as it was called */
    length = (ssize_t)strlen(argv0);
    if ((size_t)length >= size) return false;
    memcpy(folder, argv0, (size_t)length);
  }
  folder[length] = '\0';
  char *slash = strrchr(folder, '/');
  if (slash == NULL) return false;
  *slash = '\0';
  return true;
}

/* Puts the library's folder, seen from the program's, at the front of package.path. */
static void find_library(lua_State *L, const char *argv0) {
  static const char *const places[] = {"../../lua", "../../../lua", "../share/lua/5.4",
                                       "../share/perilune"};
  char folder[PATH_MAX], real[PATH_MAX];
  if (!program_folder(argv0, folder, sizeof folder)) return;
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    const char *root = lua_pushfstring(L, "%s/%s", folder, places[i]);
    const char *probe = lua_pushfstring(L, "%s/perilune/init.lua", root);
    if (access(probe, R_OK) != 0 || realpath(root, real) == NULL) {
      lua_pop(L, 2);
      continue;
    }
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", real, real, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 4);
    return;
  }
}

/* What an embedder does after luaL_openlibs. Nothing is loaded until a script asks for it. */
static void open_perilune(lua_State *L, const char *argv0) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_perilune_core);
  lua_setfield(L, -2, "perilune.core");
  lua_pushcfunction(L, pl_open_terminal);
  lua_setfield(L, -2, "perilune.terminal");
  lua_pop(L, 1);
  find_library(L, argv0);
}

/* ---- running code ---------------------------------------------------------------------------- */

/* Turns an error into a message with a traceback, as lua does. */
static int explain(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  if (strstr(message, "(global 'pl')") != NULL) {
    message =
        lua_pushfstring(L, "%s\n(a script begins with: local pl = require \"perilune\")", message);
  }
  luaL_traceback(L, L, message, 1);
  return 1;
}

static bool report(lua_State *L, int status) {
  if (status == LUA_OK) return true;
  const char *message = lua_tostring(L, -1);
  fflush(stdout);
  fprintf(stderr, "perilune: %s\n", message != NULL ? message : "(error message not a string)");
  fflush(stderr);
  lua_pop(L, 1);
  return false;
}

/* Calls the function below its nargs arguments and reports its error. No results are left. */
static bool run(lua_State *L, int nargs) {
  int base = lua_gettop(L) - nargs;
  lua_pushcfunction(L, explain);
  lua_insert(L, base);
  int status = pl_guarded_call(L, nargs, 0, base);
  lua_remove(L, base);
  return report(L, status);
}

static bool run_loaded(lua_State *L, int load_status) {
  return load_status == LUA_OK ? run(L, 0) : report(L, load_status);
}

static bool run_string(lua_State *L, const char *code, const char *name) {
  return run_loaded(L, luaL_loadbuffer(L, code, strlen(code), name));
}

/* LUA_INIT_5_4 or LUA_INIT: code, or @ and the name of a file. */
static bool run_init(lua_State *L) {
  const char *name = "=LUA_INIT" LUA_VERSUFFIX, *init = getenv(name + 1);
  if (init == NULL) init = getenv((name = "=LUA_INIT") + 1);
  if (init == NULL) return true;
  if (init[0] == '@') return run_loaded(L, luaL_loadfile(L, init + 1));
  return run_string(L, init, name);
}

/* -l name, or -l global=name */
static bool run_require(lua_State *L, const char *what) {
  const char *equals = strchr(what, '=');
  lua_getglobal(L, "require");
  lua_pushstring(L, equals != NULL ? equals + 1 : what);
  lua_pushcfunction(L, explain);
  lua_insert(L, -3);
  int status = pl_guarded_call(L, 1, 1, lua_gettop(L) - 2);
  lua_remove(L, -2);
  if (status != LUA_OK) return report(L, status);
  lua_pushlstring(L, what, equals != NULL ? (size_t)(equals - what) : strlen(what));
  lua_insert(L, -2);
  lua_pushglobaltable(L);
  lua_insert(L, -3);
  lua_settable(L, -3);
  lua_pop(L, 1);
  return true;
}

static bool run_script(lua_State *L, const command_line *line) {
  const char *name = line->argv[line->script];
  int nargs = line->argc - line->script - 1;
  bool from_stdin = strcmp(name, "-") == 0 && strcmp(line->argv[line->script - 1], "--") != 0;
  int status = luaL_loadfile(L, from_stdin ? NULL : name);
  if (status != LUA_OK) return report(L, status);
  luaL_checkstack(L, nargs + 3, "too many arguments to script");
  for (int i = 1; i <= nargs; i++) lua_pushstring(L, line->argv[line->script + i]);
  return run(L, nargs);
}

static bool run_prompt(lua_State *L, bool announced) {
  lua_pushcfunction(L, explain);
  lua_getglobal(L, "require");
  lua_pushstring(L, "perilune.repl");
  int status = lua_pcall(L, 1, 1, -3);
  if (status == LUA_OK) {
    pl_enter_prompt();
    lua_pushboolean(L, announced);
    status = lua_pcall(L, 1, 0, -3);
  }
  return report(L, status);
}

/* ---- the command line ------------------------------------------------------------------------ */

static void parse(command_line *line) {
  int i = 1;
  for (; i < line->argc && line->argv[i][0] == '-' && line->argv[i][1] != '\0'; i++) {
    const char *option = line->argv[i];
    if (strcmp(option, "--") == 0) {
      i++;
      break;
    }
    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
      line->help = true;
    } else if (strcmp(option, "--version") == 0 || strcmp(option, "-v") == 0) {
      line->version = true;
    } else if (strcmp(option, "-i") == 0) {
      line->prompt = true;
    } else if (strcmp(option, "-E") == 0) {
      line->no_env = true;
    } else if (strcmp(option, "-W") == 0) {
      line->warn = true;
    } else if (option[1] == 'e' || option[1] == 'l') {
      line->code = line->code || option[1] == 'e';
      if (option[2] == '\0' && (++i >= line->argc || line->argv[i][0] == '-')) {
        line->fault = option; /* needs an argument */
        return;
      }
    } else {
      line->fault = option;
      return;
    }
  }
  line->script = i;
}

static bool run_options(lua_State *L, const command_line *line) {
  for (int i = 1; i < line->script; i++) {
    const char *option = line->argv[i];
    if (option[0] != '-' || (option[1] != 'e' && option[1] != 'l')) continue;
    const char *value = option[2] != '\0' ? option + 2 : line->argv[++i];
    bool good = option[1] == 'e' ? run_string(L, value, "=(command line)") : run_require(L, value);
    if (!good) return false;
  }
  return true;
}

/* arg as lua sets it: the script at 0, its arguments from 1, what came before below 0. */
static void set_arg(lua_State *L, const command_line *line) {
  int zero = line->script < line->argc ? line->script : 0;
  lua_createtable(L, line->argc - zero - 1 > 0 ? line->argc - zero - 1 : 0, zero + 1);
  for (int i = 0; i < line->argc; i++) {
    lua_pushstring(L, line->argv[i]);
    lua_rawseti(L, -2, i - zero);
  }
  lua_setglobal(L, "arg");
}

static bool run_all(lua_State *L, const command_line *line) {
  bool script = line->script < line->argc, quiet = line->code || line->version;
  if (!line->no_env && !run_init(L)) return false;
  if (!run_options(L, line)) return false;
  if (script && !run_script(L, line)) return false;
  if (line->prompt) return run_prompt(L, script || quiet);
  if (script || quiet) return true;
  if (isatty(STDIN_FILENO)) return run_prompt(L, false);
  return run_loaded(L, luaL_loadfile(L, NULL));
}

/* Runs protected, so that want of memory anywhere is an error message too. */
static int protected_main(lua_State *L) {
  command_line *line = lua_touserdata(L, 1);
  luaL_checkversion(L);
  if (line->no_env) {
    lua_pushboolean(L, true);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  open_perilune(L, line->argv[0]);
  set_arg(L, line);
  lua_gc(L, LUA_GCGEN, 0, 0);
  perilune_collect_young(L);
  if (line->warn) lua_warning(L, "@on", 0);
  lua_pushboolean(L, run_all(L, line));
  return 1;
}

/* A step frees what the next one allocates: kept, it need not come from the system again, which
** clears every page that it gives. */
static void keep_freed_memory(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the most that glibc takes */
  mallopt(M_TRIM_THRESHOLD, 128 << 20);
#endif
}

int main(int argc, char **argv) {
  keep_freed_memory();
  static char *nameless[] = {"perilune", NULL};
  command_line line = {.argc = argc, .argv = argv, .script = argc};
  if (argc < 1) line.argc = 1, line.argv = nameless, line.script = 1;
  parse(&line);
  if (line.fault != NULL) {
    bool known = line.fault[1] == 'e' || line.fault[1] == 'l';
    fprintf(stderr, "perilune: %s option '%s'\n%s",
            known ? "an argument is missing after" : "unknown", line.fault, usage);
    return EXIT_FAILURE;
  }
  if (line.help) return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
  if (line.version) printf("perilune %s, %s\n", PERILUNE_VERSION, LUA_RELEASE);
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("perilune: no memory for a Lua state\n", stderr);
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, protected_main);
  lua_pushlightuserdata(L, &line);
  int status = lua_pcall(L, 1, 1, 0);
  bool good = report(L, status) && lua_toboolean(L, -1);
  lua_close(L);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
