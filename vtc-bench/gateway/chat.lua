-- A chat whose body has 600 bytes.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["user"] = "alice"
local before = '{"model":"m","messages":[{"role":"user","content":"'
local after = '"}],"max_tokens":80}'
wrk.body = before .. string.rep("x", 600 - #before - #after) .. after
