/*
** What the interpreter adds for a person at a terminal: interruption by Ctrl-C and line editing.
** Linked into build/bin/perilune only; the module perilune.core installs no signal handler.
*/
#ifndef PERILUNE_TERMINAL_H
#define PERILUNE_TERMINAL_H

#include <lua.h>

/*
** lua_pcall during which Ctrl-C raises "interrupted!" at the next Lua step; a further Ctrl-C ends
** the process. The handler that stood before is put back. An ignored SIGINT stays ignored.
*/
int pl_guarded_call(lua_State *L, int nargs, int nresults, int handler);

/*
** From now on the process serves the prompt: Ctrl-C outside pl_guarded_call only drops the line
** being typed, and it takes three of them to end a computation that will not stop.
*/
void pl_enter_prompt(void);

/*
** Pushes the table that the prompt (lua/perilune/repl) works with:
**   readline(prompt)      -> line | nil, "eof" | nil, "interrupt"
**   edits()               -> whether readline can edit, complete and remember
**   remember(line)        adds to the history that the arrow keys walk through
**   on_complete(f)        f(text before the cursor) -> text to insert | nil, listing | nil
**   call(f, handler)      pl_guarded_call: true, results... | false, what handler returned
**   isatty(fd) -> boolean, width() -> columns, make_dir(path) -> true | nil, message
*/
int pl_open_terminal(lua_State *L);

#endif
