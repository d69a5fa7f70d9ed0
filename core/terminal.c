/*
** Ctrl-C and line editing for the interpreter. See terminal.h for the contract.
** With PERILUNE_LIBEDIT lines are edited by libedit; without it they are read as the terminal
** gives them. One prompt a process, so the editor is a static.
*/
#include "terminal.h"

#include <errno.h>
#include <lauxlib.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#ifdef PERILUNE_LIBEDIT
#include <histedit.h>
#endif

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

static lua_State *guarded;            /* the state whose call Ctrl-C interrupts */
static volatile sig_atomic_t strikes; /* Ctrl-Cs since that call began */
static volatile sig_atomic_t deadly_strike = 2;
static volatile sig_atomic_t line_dropped; /* Ctrl-C while a line was being typed */

static void raise_interrupted(lua_State *L, lua_Debug *where) {
  (void)where;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

static void interrupt_call(int signum) {
  static const char patience[] =
      "\nstopping at the next Lua step (one more Ctrl-C ends perilune)\n";
  if (++strikes == 1) {
    int every = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
    lua_sethook(guarded, raise_interrupted, every, 1); /* safe in a handler, says Lua's manual */
  } else if (strikes >= deadly_strike) {
    signal(signum, SIG_DFL);
    raise(signum);
  } else {
    ssize_t ignored = write(STDERR_FILENO, patience, sizeof patience - 1);
    (void)ignored;
  }
}

static void drop_line(int signum) {
  (void)signum;
  line_dropped = 1;
}

/* Without SA_RESTART, so that a blocking read notices. */
static void set_handler(int signum, void (*handler)(int), struct sigaction *before) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signum, &action, before);
}

int pl_guarded_call(lua_State *L, int nargs, int nresults, int handler) {
  struct sigaction before;
  lua_State *outer = guarded;
  guarded = L;
  strikes = 0;
  set_handler(SIGINT, interrupt_call, &before);
  if (before.sa_handler == SIG_IGN) sigaction(SIGINT, &before, NULL);
  int status = lua_pcall(L, nargs, nresults, handler);
  sigaction(SIGINT, &before, NULL);
  if (strikes > 0) lua_sethook(L, NULL, 0, 0); /* it may have come too late to be raised */
  guarded = outer;
  return status;
}

void pl_enter_prompt(void) {
  deadly_strike = 3;
  set_handler(SIGINT, drop_line, NULL);
}

/* ---- reading a line -------------------------------------------------------------------------- */

static int line_ended(lua_State *L) {
  lua_pushnil(L);
  lua_pushstring(L, line_dropped ? "interrupt" : "eof");
  return 2;
}

static int read_plain(lua_State *L, const char *prompt) {
  char piece[512];
  luaL_Buffer line;
  bool any = false;
  fputs(prompt, stdout);
  fflush(stdout);
  luaL_buffinit(L, &line);
  while (fgets(piece, sizeof piece, stdin) != NULL) {
    size_t length = strlen(piece);
    bool whole = length > 0 && piece[length - 1] == '\n';
    luaL_addlstring(&line, piece, whole ? length - 1 : length);
    any = true;
    if (whole) break;
  }
  luaL_pushresult(&line);
  if (any && !line_dropped) return 1;
  clearerr(stdin); /* an interrupted read, or a Ctrl-D that ends one line only */
  if (isatty(STDIN_FILENO)) putchar('\n');
  return line_ended(L);
}

#ifdef PERILUNE_LIBEDIT

static EditLine *editor;
static History *memory;
static char shown_prompt[64];
static volatile sig_atomic_t resized, continued;

static void note_resize(int signum) {
  (void)signum;
  resized = 1;
}

static void note_continue(int signum) {
  (void)signum;
  continued = 1;
}

static char *current_prompt(EditLine *e) {
  (void)e;
  return shown_prompt;
}

/* libedit's own reader sleeps through signals; this one wakes for Ctrl-C, fg and a new width. */
static int read_wide(EditLine *e, wchar_t *out) {
  mbstate_t state;
  memset(&state, 0, sizeof state);
  for (;;) {
    char byte;
    ssize_t got = line_dropped ? -1 : read(STDIN_FILENO, &byte, 1);
    if (got == 0) return 0;
    if (got < 0) {
      if (line_dropped || errno != EINTR) return -1;
      if (continued) el_set(e, EL_PREP_TERM, 1);
      if (resized) el_resize(e);
      if (continued || resized) el_set(e, EL_REFRESH);
      continued = resized = 0;
      continue;
    }
    size_t used = mbrtowc(out, &byte, 1, &state);
    if (used == (size_t)-2) continue; /* more bytes to come */
    if (used == (size_t)-1) {         /* not text in this locale: drop it */
      memset(&state, 0, sizeof state);
      continue;
    }
    return 1;
  }
}

static const char completer_key = 'c';

static unsigned char complete_word(EditLine *e, int key) {
  void *client = NULL;
  unsigned char answer = CC_ERROR;
  (void)key;
  el_get(e, EL_CLIENTDATA, &client);
  lua_State *L = client;
  const LineInfo *line = el_line(e);
  int top = lua_gettop(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &completer_key);
  lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
  if (lua_pcall(L, 1, 2, 0) == LUA_OK) {
    const char *insert = lua_tostring(L, -2), *listing = lua_tostring(L, -1);
    if (insert != NULL && el_insertstr(e, insert) == 0) answer = CC_REFRESH;
    if (listing != NULL) {
      printf("\n%s\n", listing);
      fflush(stdout);
      answer = CC_REDISPLAY;
    }
  }
  lua_settop(L, top);
  return answer;
}

static bool start_editor(lua_State *L) {
  HistEvent event;
  const char *term = getenv("TERM");
  if (editor != NULL) return true;
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return false;
  if (term == NULL || strcmp(term, "dumb") == 0) return false;
  setlocale(LC_CTYPE, "");
  editor = el_init("perilune", stdin, stdout, stderr);
  if (editor == NULL) return false;
  memory = history_init();
  if (memory != NULL) {
    history(memory, &event, H_SETSIZE, 2000);
    history(memory, &event, H_SETUNIQUE, 1);
    el_set(editor, EL_HIST, history, memory);
  }
  el_set(editor, EL_CLIENTDATA, L);
  el_set(editor, EL_PROMPT, current_prompt);
  el_set(editor, EL_SIGNAL, 0);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_GETCFN, read_wide);
  el_set(editor, EL_ADDFN, "complete-word", "complete a Lua name", complete_word);
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(editor, EL_BIND, "\\e[3~", "ed-delete-next-char", NULL);
  el_set(editor, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
  el_set(editor, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
  el_source(editor, NULL); /* the user's ~/.editrc */
  return true;
}

static int read_edited(lua_State *L, const char *prompt) {
  struct sigaction resize_before, continue_before;
  int length = 0;
  snprintf(shown_prompt, sizeof shown_prompt, "%s", prompt);
  el_set(editor, EL_CLIENTDATA, L);
  el_resize(editor);
  set_handler(SIGWINCH, note_resize, &resize_before);
  set_handler(SIGCONT, note_continue, &continue_before);
  const char *line = el_gets(editor, &length);
  sigaction(SIGWINCH, &resize_before, NULL);
  sigaction(SIGCONT, &continue_before, NULL);
  if (line == NULL || length <= 0 || line_dropped) {
    fputs(line_dropped ? "^C\n" : "\n", stdout);
    fflush(stdout);
    return line_ended(L);
  }
  if (line[length - 1] == '\n') length--;
  lua_pushlstring(L, line, (size_t)length);
  return 1;
}

static int terminal_remember(lua_State *L) {
  HistEvent event;
  const char *line = luaL_checkstring(L, 1);
  if (memory != NULL) history(memory, &event, H_ENTER, line);
  return 0;
}

static int terminal_on_complete(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &completer_key);
  if (editor != NULL) el_set(editor, EL_BIND, "^I", "complete-word", NULL);
  return 0;
}

#else

static bool start_editor(lua_State *L) {
  (void)L;
  return false;
}

static int read_edited(lua_State *L, const char *prompt) { return read_plain(L, prompt); }

static int terminal_remember(lua_State *L) {
  luaL_checkstring(L, 1);
  return 0;
}

static int terminal_on_complete(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  return 0;
}

#endif

static int terminal_readline(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  line_dropped = 0;
  return start_editor(L) ? read_edited(L, prompt) : read_plain(L, prompt);
}

static int terminal_edits(lua_State *L) {
  lua_pushboolean(L, start_editor(L));
  return 1;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int terminal_call(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_insert(L, 1); /* handler, f */
  int status = pl_guarded_call(L, 0, LUA_MULTRET, 1);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 1);
  return lua_gettop(L);
}

static int terminal_isatty(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int terminal_width(lua_State *L) {
  struct winsize size;
  memset(&size, 0, sizeof size);
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

/* Private to the user, as a history should be. */
static int terminal_make_dir(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  return luaL_fileresult(L, mkdir(path, 0700) == 0 || errno == EEXIST, path);
}

int pl_open_terminal(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"readline", terminal_readline},
      {"edits", terminal_edits},
      {"remember", terminal_remember},
      {"on_complete", terminal_on_complete},
      {"call", terminal_call},
      {"isatty", terminal_isatty},
      {"width", terminal_width},
      {"make_dir", terminal_make_dir},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}
