-- A message is not on the way any more. ARGV: batch
for _, lane in ipairs(webhook_lanes(ARGV[1])) do
  redis.call('ZREM', lane, ARGV[1])
end
return 1
