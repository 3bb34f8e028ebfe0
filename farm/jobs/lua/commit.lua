-- Replaces a job that is still what the caller saw, with all that follows from the change.
-- ARGV: job id, JSON before, JSON after, effects (JSON, `farm.jobs.effects.Effects`), lease in seconds, event (JSON; empty: none)
-- Returns 1, or 0 when the job is not what it was.
local job, before, after, lease, event = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5]), ARGV[6]
local batch, index = split(job)
local key = batch_key(batch)
if redis.call('HGET', batch_key(batch, 'jobs'), index) ~= before then
  return 0
end
local effects, time = cjson.decode(ARGV[4]), now()
redis.call('HSET', batch_key(batch, 'jobs'), index, after)
for name, change in pairs(effects.counts) do
  redis.call('HINCRBY', key, name, change)
  redis.call('HINCRBY', 'farm:totals', name, change)
end
if effects.backlog ~= 0 then
  redis.call('HINCRBY', 'farm:totals', 'backlog_images', effects.backlog)
  redis.call('HINCRBY', key, 'backlog_images', effects.backlog)
  if redis.call('HGET', key, 'paused') == '1' then
    redis.call('HINCRBY', 'farm:totals', 'paused_images', effects.backlog)
  end
end
for code, change in pairs(effects.errors) do
  if redis.call('HINCRBY', key, 'error:' .. code, change) == 0 then
    redis.call('HDEL', key, 'error:' .. code)
  end
end
if effects.drawn > 0 then
  local slot = math.floor(clock() / RATE_SLOT)
  for _, rate in ipairs({batch_key(batch, 'rate'), 'farm:rate'}) do
    if redis.call('HINCRBY', rate, slot, effects.drawn) == effects.drawn then
      for _, old in ipairs(redis.call('HKEYS', rate)) do
        if tonumber(old) <= slot - RATE_SLOTS_KEPT then
          redis.call('HDEL', rate, old)
        end
      end
      redis.call('EXPIRE', rate, RATE_SLOT * RATE_SLOTS_KEPT)
    end
  end
end

if effects.unqueued then
  leave_queue(batch, index)
  redis.call('HDEL', batch_key(batch, 'since'), index)
end
if effects.leased then
  redis.call('ZADD', 'farm:leases', time + lease, job)
elseif effects.queued ~= '' or effects.open ~= 0 then -- not one that stays queued: it may be handed out at this moment
  redis.call('ZREM', 'farm:leases', job)
end
if effects.queued ~= '' then
  redis.call('HSET', batch_key(batch, 'since'), index, string.format('%.3f', time + effects.wait))
  if effects.wait > 0 then
    redis.call('ZADD', 'farm:later', time + effects.wait, job)
  else
    redis.call(effects.queued == 'front' and 'LPUSH' or 'RPUSH', batch_key(batch, 'queue'), index)
    offer(batch)
  end
end

if effects.model_uses ~= 0 and redis.call('HINCRBY', 'farm:models', effects.model, effects.model_uses) <= 0 then
  redis.call('HDEL', 'farm:models', effects.model)
end
if event ~= '' then
  tell('job', batch, event)
end
if effects.open ~= 0 then
  local open = redis.call('HINCRBY', key, 'open', effects.open)
  if open == 0 then
    end_batch(batch, time, false)
  elseif effects.open > 0 and redis.call('HDEL', key, 'ended') == 1 then
    tell('batch', batch, '{"change":"reopened"}')
    redis.call('ZREM', 'farm:ended', batch)
    charge(batch, 'preview_pixels', 1)
    redis.call('ZREM', 'farm:webhooks', batch)
  end
end
return 1
