-- Takes up to ARGV[3] requests from the bucket KEYS[1], which is full at the time that it holds;
-- ARGV[1] is the time from one request to the next, ARGV[2] how far ahead of now it may be.
-- Gives how many were taken, how many more there are, when it is full, and when there is another.
-- Times are microseconds, all by the clock of the server.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = tonumber(redis.call('GET', KEYS[1]) or now) - now
ahead = math.max(0, math.min(ahead, most))
-- What is a thousandth short of a whole request is one: sums of fractions are never exact.
local taken = math.min(tonumber(ARGV[3]), math.floor((most - ahead) / interval + 0.001))
if taken > 0 then
  ahead = ahead + taken * interval
  local keep = math.ceil(ahead / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.3f', now + ahead), 'PX', string.format('%d', keep))
end
local more = math.floor((most - ahead) / interval + 0.001)
local wait = math.max(0, math.ceil(ahead + interval - most))
return {taken, math.max(0, more), math.ceil(ahead), wait}
