-- Hands out the next job, under a lease from this moment on: a worker that dies before it has claimed it loses nothing.
-- ARGV: worker, lease in seconds
-- Returns job id, the time by Redis' clock and for how many seconds it might have been taken (empty: unknown), or nothing: no job may be taken now, or the worker is to take none.
local worker, lease, time = ARGV[1], tonumber(ARGV[2]), now()
if redis.call('HEXISTS', 'farm:worker:' .. worker, 'drained') == 1 then
  return false
end
promote(time)
while true do
  local best = redis.call('ZRANGE', 'farm:ready', 0, 0)
  if #best == 0 then
    return false
  end
  local batch = best[1]
  local index = redis.call('LPOP', batch_key(batch, 'queue'))
  if redis.call('LLEN', batch_key(batch, 'queue')) == 0 then
    redis.call('ZREM', 'farm:ready', batch)
  end
  if index and redis.call('HEXISTS', batch_key(batch, 'jobs'), index) == 1 then
    redis.call('ZADD', 'farm:leases', time + lease, batch .. '-' .. index)
    local since = redis.call('HGET', batch_key(batch, 'since'), index) or redis.call('HGET', batch_key(batch), 'opened')
    local waited = since and string.format('%.6f', math.max(0, time - tonumber(since))) or ''
    return {batch .. '-' .. index, string.format('%.6f', clock()), waited}
  end
end
