-- A worker has drawn images. ARGV: worker, images, seconds that one of its Blenders took, slot in seconds, slots kept
local worker, images, seconds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local slot, kept = math.floor(now() / tonumber(ARGV[4])), tonumber(ARGV[5])
local blenders = math.max(1, tonumber(redis.call('HGET', 'farm:worker:' .. worker, 'concurrency') or 1))
redis.call('HINCRBYFLOAT', 'farm:pace:seconds', slot, seconds / blenders)
if redis.call('HINCRBY', 'farm:pace:images', slot, images) == images then
  local slots = {}
  for _, known in ipairs(redis.call('HKEYS', 'farm:pace:images')) do
    table.insert(slots, tonumber(known))
  end
  table.sort(slots)
  for place = 1, #slots - kept do
    redis.call('HDEL', 'farm:pace:images', slots[place])
    redis.call('HDEL', 'farm:pace:seconds', slots[place])
  end
end
redis.call('SET', 'farm:pace:blenders', blenders)
return 1
