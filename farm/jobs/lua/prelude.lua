-- What the scripts share. A script runs as one step of Redis: nobody sees it half done. Times are Redis' own, so that
-- a worker whose clock jumps can neither lose nor prolong a lease; what Redis' own clock does, `now` stands.

local EVENTS_KEPT = 100000
local RATE_SLOT = 10      -- seconds
local RATE_SLOTS_KEPT = 60

-- Redis' clock: seconds since the epoch, for what people read.
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

-- The farm's time, by which all is measured that must not end too early or too late: leases, waits, silence, age. It goes on
-- with the clock from one script to the next, and a farm that is alive runs several a second. Where the clock made a leap
-- between two of them it was set, or the machine slept, or Redis stood still: then nobody can have been heard meanwhile, and
-- so nobody was silent. Such a leap counts for less than the shortest lease, that of three seconds, has left after a pulse.
local LEAP, COUNTS_FOR = 2, 1 -- seconds
local function read_time()
  local at, held = clock(), redis.call('HMGET', 'farm:clock', 'clock', 'time')
  if not held[1] then
    return at, at
  end
  local step = at - tonumber(held[1])
  return tonumber(held[2]) + ((step < 0 or step > LEAP) and COUNTS_FOR or step), at
end

-- The same, from which the next script goes on.
local function now()
  local time, at = read_time()
  redis.call('HSET', 'farm:clock', 'clock', string.format('%.6f', at), 'time', string.format('%.6f', time))
  return time
end

local function split(job)
  local batch, index = string.match(job, '^(.*)-(%d+)$')
  return batch, index
end

local function batch_key(batch, part)
  return 'farm:batch:' .. batch .. (part and ':' .. part or '')
end

local function is_active(state)
  return state == 'leased' or state == 'rendering' or state == 'uploading'
end

-- Batches whose jobs may be taken, best first: higher priority, then earlier submission.
local function offer(batch)
  local values = redis.call('HMGET', batch_key(batch), 'paused', 'priority', 'sequence')
  if values[1] ~= '1' and values[3] and redis.call('LLEN', batch_key(batch, 'queue')) > 0 then
    redis.call('ZADD', 'farm:ready', -tonumber(values[2] or 0) * 1e11 + tonumber(values[3]), batch)
  else
    redis.call('ZREM', 'farm:ready', batch)
  end
end

local function tell(kind, batch, data)
  redis.call('XADD', 'farm:events', 'MAXLEN', '~', EVENTS_KEPT, '*', 'kind', kind, 'batch', batch, 'data', data)
end

-- A queued job stands in one place, no more and no less: in its batch's queue, in farm:later, or, handed out and not yet
-- claimed, in farm:leases. This takes it out of whichever it is.
local function leave_queue(batch, index)
  local job = batch .. '-' .. index
  if redis.call('ZREM', 'farm:leases', job) == 0 and redis.call('ZREM', 'farm:later', job) == 0
    and redis.call('LREM', batch_key(batch, 'queue'), 1, index) > 0 then
    offer(batch)
  end
end

-- Jobs whose time to wait is over go back to the front of their batch: they were there before.
local function promote(time)
  for _, job in ipairs(redis.call('ZRANGEBYSCORE', 'farm:later', '-inf', time, 'LIMIT', 0, 100)) do
    local batch, index = split(job)
    redis.call('ZREM', 'farm:later', job)
    if redis.call('EXISTS', batch_key(batch)) == 1 then
      redis.call('LPUSH', batch_key(batch, 'queue'), index)
      offer(batch)
    end
  end
end

-- What a batch takes of its owner's allowance (`farm.jobs.allowances`); sign: 1 takes it, -1 gives it back.
local function charge(batch, field, sign)
  local values = redis.call('HMGET', batch_key(batch), 'owner', field)
  local owner, amount = values[1] or '', tonumber(values[2] or 0)
  if owner ~= '' and amount ~= 0 and redis.call('HINCRBY', 'farm:owner:' .. owner, field, sign * amount) <= 0 then
    redis.call('HDEL', 'farm:owner:' .. owner, field)
  end
end

-- The last job of a batch has ended: the one place that says so, whatever ended it. told: whoever asked to be told of this
-- end was (before Redis was lost), and is not told again.
local function end_batch(batch, time, told)
  local key = batch_key(batch)
  redis.call('HSET', key, 'ended', string.format('%.3f', clock()))
  redis.call('ZADD', 'farm:ended', time, batch)
  charge(batch, 'preview_pixels', -1)
  tell('batch', batch, '{"change":"ended"}')
  if not told and redis.call('HEXISTS', key, 'webhook') == 1 then
    redis.call('ZADD', 'farm:webhooks', time, batch)
    redis.call('HDEL', key, 'webhook_tries')
  end
end

-- What a message about the batch goes by: its user's lane and its host's (`farm.jobs.webhooks`). A batch of nobody's is a
-- lane of its own.
local function webhook_lanes(batch)
  local values = redis.call('HMGET', batch_key(batch), 'owner', 'webhook')
  local owner = values[1] and values[1] ~= '' and values[1] or 'batch:' .. batch
  return {'farm:webhooks:owner:' .. owner, 'farm:webhooks:host:' .. (values[2] or '')}
end
