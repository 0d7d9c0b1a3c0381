-- Chats of so many users, each request of another one; every connection rests for so many milliseconds before a request.
-- The first pass goes through all of them in turn, so that each is known.
local users, rest = tonumber(os.getenv("USERS")), tonumber(os.getenv("REST"))
local threads, first, steps = 0, 0, 0
local body = '{"model":"m","messages":[{"role":"user","content":"Why is the sky blue?"}]}'

function setup(thread)
  thread:set("first", threads)
  threads = threads + 1
end

function init()
  math.randomseed(1 + first)
  if rest > 0 then
    delay = function() return rest end
  end
end

function request()
  steps = steps + 1
  local user = steps <= users and steps or math.random(users)
  return wrk.format("POST", nil, { ["content-type"] = "application/json", ["user"] = "user-" .. user }, body)
end
