-- Hands out a batch of whose end is to be told now, and keeps it from all others for a while.
-- ARGV: seconds for which nobody else gets it, seconds that a message takes at most, messages on the way at a time to
-- one user's receivers, and to one host
-- Returns the batch, or nothing: none is due, or too much is on the way already to those to whom they go.
local LOOKED_AT = 200
local AGAIN_AFTER = 2 -- seconds
local claim, message, limits, time = tonumber(ARGV[1]), tonumber(ARGV[2]), {tonumber(ARGV[3]), tonumber(ARGV[4])}, now()
local due = redis.call('ZRANGEBYSCORE', 'farm:webhooks', '-inf', time, 'LIMIT', 0, LOOKED_AT)
for _, batch in ipairs(due) do
  local lanes, free = webhook_lanes(batch), true
  for number, lane in ipairs(lanes) do
    redis.call('ZREMRANGEBYSCORE', lane, '-inf', time)
    free = free and redis.call('ZCARD', lane) < limits[number]
  end
  if free then
    for _, lane in ipairs(lanes) do
      redis.call('ZADD', lane, time + message, batch)
      redis.call('EXPIRE', lane, math.ceil(message))
    end
    redis.call('ZADD', 'farm:webhooks', time + claim, batch)
    return batch
  end
end
if #due == LOOKED_AT then -- so many of one user or host hide what others wait for: they step back
  for _, batch in ipairs(due) do
    redis.call('ZADD', 'farm:webhooks', time + AGAIN_AFTER, batch)
  end
end
return false
