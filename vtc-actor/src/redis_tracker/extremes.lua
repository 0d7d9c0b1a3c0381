-- The least and the most of all counts; nothing, if nobody has any.
expire()
local least = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
local most = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
return { least[2] or false, most[2] or false }
