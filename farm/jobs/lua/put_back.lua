-- Returns a job that was handed out and not claimed. ARGV: job id, seconds to wait ("0": to the front at once)
-- Returns 1, or 0 when the job is not out any more. The lease of a job that somebody has claimed is left alone: whoever
-- asks was too late for it.
local job, wait = ARGV[1], tonumber(ARGV[2])
local batch, index = split(job)
local record = redis.call('HGET', batch_key(batch, 'jobs'), index)
local state = record and (cjson.decode(record).state or 'queued')
if is_active(state) or redis.call('ZREM', 'farm:leases', job) == 0 or state ~= 'queued' then
  return 0
end
if wait > 0 then
  redis.call('ZADD', 'farm:later', now() + wait, job)
else
  redis.call('LPUSH', batch_key(batch, 'queue'), index)
  offer(batch)
end
return 1
