-- KEYS: 1 the amounts, by 'bucket:user'; 2 those places, by their buckets; 3 the users, by their counts.
-- ARGV: 1 a bucket's width in milliseconds; 2 how many buckets are in the window.
local function bucket_of_now()
    local time = redis.call('TIME')
    local millis = time[1] * 1000 + math.floor(time[2] / 1000)
    return math.floor(millis / ARGV[1])
end

-- Takes what has left the window out of the counts: each amount once.
local function expire()
    local over = bucket_of_now() - ARGV[2]
    while true do
        local places = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', over, 'LIMIT', 0, 1000)
        if #places == 0 then return end
        for _, place in ipairs(places) do
            local amount = redis.call('HGET', KEYS[1], place)
            local user = place:sub(place:find(':', 1, true) + 1)
            redis.call('HDEL', KEYS[1], place)
            redis.call('ZREM', KEYS[2], place)
            if tonumber(redis.call('ZINCRBY', KEYS[3], -(amount or 0), user)) <= 0 then
                redis.call('ZREM', KEYS[3], user)
            end
        end
    end
end

-- Without further charges everything is gone with the window.
local function keep()
    local lap = ARGV[1] * (ARGV[2] + 1)
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, lap) end
end
