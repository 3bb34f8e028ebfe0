-- A worker says that it is still at a job, and hears what to do. ARGV: job id, attempt, lease in seconds
-- Returns "go on"; "stale": the job is cancelled or somebody else's; "paused": its batch is; "yield": a batch of higher
-- priority waits for a worker and found none.
local YIELD_AFTER = 2 -- seconds; an idle worker takes the job sooner
local job, attempt, lease, time = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), now()
local batch, index = split(job)
local text = redis.call('HGET', batch_key(batch, 'jobs'), index)
local record = text and cjson.decode(text)
if not record or not is_active(record.state) or record.attempt ~= attempt then
  return 'stale'
end
redis.call('ZADD', 'farm:leases', time + lease, job)
local standing = redis.call('HMGET', batch_key(batch), 'paused', 'priority')
if standing[1] == '1' then
  return 'paused'
end
promote(time)
local best = redis.call('ZRANGE', 'farm:ready', 0, 0)[1]
if best and tonumber(redis.call('HGET', batch_key(best), 'priority') or 0) > tonumber(standing[2] or 0) then
  local mark = 'farm:yield:' .. best
  local since = tonumber(redis.call('GET', mark) or '')
  if not since then
    redis.call('SET', mark, time, 'PX', YIELD_AFTER * 2500)
  elseif time - since >= YIELD_AFTER then
    redis.call('SET', mark, time, 'PX', YIELD_AFTER * 2500) -- one worker at a time: the next after as long again
    return 'yield'
  end
end
return 'go on'
