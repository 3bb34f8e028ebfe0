-- The farm's time, as text. Writes nothing: pages are read on a Redis that takes no writes, too.
local time = read_time()
return string.format('%.6f', time)
