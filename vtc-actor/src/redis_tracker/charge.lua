-- Charges ARGV[3] to the user ARGV[4], now. The functions that it calls stand before this text.
expire()
local bucket = bucket_of_now()
local place = bucket .. ':' .. ARGV[4]
redis.call('HINCRBY', KEYS[1], place, ARGV[3])
redis.call('ZADD', KEYS[2], bucket, place)
redis.call('ZINCRBY', KEYS[3], ARGV[3], ARGV[4])
keep()
return redis.status_reply('OK')
