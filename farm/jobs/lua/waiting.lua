-- How many jobs a worker could take now, counted up to a limit. ARGV: limit
local limit, found = tonumber(ARGV[1]), 0
promote(now())
for _, batch in ipairs(redis.call('ZRANGE', 'farm:ready', 0, -1)) do
  found = found + redis.call('LLEN', batch_key(batch, 'queue'))
  if found >= limit then
    return limit
  end
end
return found
