-- Jobs whose lease has run out: their workers are dead, cut off, or hang. ARGV: limit
return redis.call('ZRANGEBYSCORE', 'farm:leases', '-inf', now(), 'LIMIT', 0, tonumber(ARGV[1]))
