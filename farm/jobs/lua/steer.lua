-- Changes how a batch is treated. ARGV: batch, field ("paused" or "priority"), value. Returns 0 when there is no batch.
local batch, field, value = ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', batch_key(batch)) == 0 then
  return 0
end
if redis.call('HGET', batch_key(batch), field) ~= value then
  redis.call('HSET', batch_key(batch), field, value)
  if field == 'paused' then
    local backlog = tonumber(redis.call('HGET', batch_key(batch), 'backlog_images') or 0)
    redis.call('HINCRBY', 'farm:totals', 'paused_images', value == '1' and backlog or -backlog)
  end
  offer(batch)
  tell('batch', batch, cjson.encode({change = field, value = value}))
end
return 1
