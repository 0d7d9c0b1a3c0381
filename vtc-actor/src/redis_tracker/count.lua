-- The count of the user ARGV[3].
expire()
return redis.call('ZSCORE', KEYS[3], ARGV[3]) or '0'
