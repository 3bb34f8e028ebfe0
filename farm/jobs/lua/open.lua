-- Makes a batch known whose jobs and counters are in place. ARGV: batch; "1": its end, if it has ended, was told before
local batch, told = ARGV[1], ARGV[2] == '1'
local key, time = batch_key(batch), now()
local sequence = redis.call('INCR', 'farm:sequence')
redis.call('HSET', key, 'sequence', sequence, 'opened', string.format('%.3f', time))
redis.call('ZADD', 'farm:batches', sequence, batch)
offer(batch)
tell('batch', batch, '{"change":"created"}')
charge(batch, 'bytes', 1)
charge(batch, 'preview_pixels', 1)
if redis.call('HGET', key, 'open') == '0' then
  end_batch(batch, time, told)
end
return sequence
