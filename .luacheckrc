-- luacheck's settings: Lua 5.4's own globals and no others; busted's words in the specs.
std = "lua54"
max_line_length = 110
max_cyclomatic_complexity = 24
codes = true
exclude_files = { "build", "runs" }
files["tests/fixtures"] = { max_line_length = false }
files["tests/*_spec.lua"] = { std = "lua54+busted" }
-- Methods have their class's signature, whether or not they need all of it.
files["lua/perilune/nn"] = { ignore = { "212/self" } }
-- The prompt is where globals live.
files["lua/perilune/repl/*.lua"] = { globals = { "_", "_G", "help", "pl" } }
-- Signatures without bodies.
-- Documentation for editors and help(): declarations that nothing runs.
files["lua/perilune/meta/*.lua"] = { ignore = { "241", "212" } }
