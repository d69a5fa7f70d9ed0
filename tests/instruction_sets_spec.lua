-- The kernels of the instruction sets that this processor has and does not choose: the specs of what is
-- computed, once more. (tensor_spec, functions_spec and determinism_spec look at theirs themselves.)
local child = require "tests.child"
local pl = require "perilune"

local SPECS <const> = { "autograd", "conv", "dropout", "layers", "losses", "net_c", "norm", "optim" }
local BELOW <const> = { avx512 = { "avx2", "baseline" }, avx2 = { "baseline" }, baseline = {} }

describe("on an instruction set below this processor's", function()
  for _, isa in ipairs(os.getenv "PERILUNE_ISA" and {} or BELOW[pl.isa()]) do
    for _, name in ipairs(SPECS) do
      it(("%s passes %s_spec"):format(isa, name), function()
        local output = child.run(([[
          assert(require("perilune").isa() == %q)
          arg[0], arg[1] = "tests/run.lua", "tests/%s_spec.lua"
          dofile(arg[0])
        ]]):format(isa, name), "PERILUNE_ISA=" .. isa)
        assert.matches("\n[1-9]%d* passed, 0 failed\n$", output)
      end)
    end
  end
end)
