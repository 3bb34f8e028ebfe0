-- The work that is there and who is at it, as one step sees it. What belongs to paused batches does not count, but that its
-- workers are busy as long as they have it.
-- Returns images left, jobs that have not ended, and the names of the workers that have one.
promote(now())
local totals = redis.call('HMGET', 'farm:totals', 'backlog_images', 'paused_images')
local images, jobs = tonumber(totals[1] or 0) - tonumber(totals[2] or 0), 0
for _, batch in ipairs(redis.call('ZRANGE', 'farm:ready', 0, -1)) do
  jobs = jobs + redis.call('LLEN', batch_key(batch, 'queue'))
end
local paused = {}
local function counts(batch)
  if paused[batch] == nil then
    paused[batch] = redis.call('HGET', batch_key(batch), 'paused') ~= '0'
  end
  return not paused[batch]
end
for _, job in ipairs(redis.call('ZRANGE', 'farm:later', 0, -1)) do
  if counts((split(job))) then
    jobs = jobs + 1
  end
end
local busy, seen = {}, {}
for _, job in ipairs(redis.call('ZRANGE', 'farm:leases', 0, -1)) do
  local batch, index = split(job)
  if counts(batch) then
    jobs = jobs + 1
  end
  local text = redis.call('HGET', batch_key(batch, 'jobs'), index)
  local record = text and cjson.decode(text)
  if record and is_active(record.state) and not seen[record.worker] then
    seen[record.worker] = true
    table.insert(busy, record.worker)
  end
end
return {math.max(0, images), jobs, busy}
