-- Forgets a batch that has ended, and remembers that its order is to be forgotten. ARGV: batch, names of the counters
-- Returns 1; 0 when it has not ended.
local batch = ARGV[1]
local key = batch_key(batch)
if redis.call('HEXISTS', key, 'ended') == 0 then
  return 0
end
for place = 2, #ARGV do
  redis.call('HINCRBY', 'farm:totals', ARGV[place], 0 - tonumber(redis.call('HGET', key, ARGV[place]) or 0))
end
charge(batch, 'bytes', -1)
redis.call('UNLINK', key)
for _, part in ipairs({'jobs', 'queue', 'since', 'rate', 'logs'}) do
  redis.call('UNLINK', batch_key(batch, part))
end
for _, list in ipairs({'farm:batches', 'farm:ended', 'farm:ready', 'farm:webhooks'}) do
  redis.call('ZREM', list, batch)
end
redis.call('SADD', 'farm:removed', batch)
return 1
