-- Makes a batch known whose jobs and counters are in place. ARGV: batch
local batch = ARGV[1]
local key, time = batch_key(batch), now()
local sequence = redis.call('INCR', 'farm:sequence')
redis.call('HSET', key, 'sequence', sequence)
redis.call('ZADD', 'farm:batches', sequence, batch)
offer(batch)
tell('batch', batch, '{"change":"created"}')
charge(batch, 'bytes', 1)
if redis.call('HGET', key, 'open') == '0' then
  redis.call('HSET', key, 'ended', string.format('%.3f', clock()))
  redis.call('ZADD', 'farm:ended', time, batch)
else
  charge(batch, 'preview_pixels', 1)
end
return sequence
