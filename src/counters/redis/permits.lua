-- Permits of a shared concurrency limit: who holds how many, and until when.
--
-- KEYS[1]  msgpack {holder, permits, expires at in us, holder, ...}
-- ARGV     holder, want, max, life in us
-- Reply    {held by the holder, held by all}
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local holder, want = ARGV[1], tonumber(ARGV[2])
local max, life = tonumber(ARGV[3]), tonumber(ARGV[4])
local list, others, has, last = {}, 0, 0, 0
local kept = redis.call('GET', KEYS[1])
if kept then
  local before = cmsgpack.unpack(kept)
  for i = 1, #before, 3 do
    if now >= before[i + 2] then
      -- It expired: nobody holds it.
    elseif before[i] == holder then has = before[i + 1]
    else
      for field = 0, 2 do list[#list + 1] = before[i + field] end
      others, last = others + before[i + 1], math.max(last, before[i + 2])
    end
  end
end

-- What is held already is never taken away, not even when the limit was lowered.
local held = math.min(want, math.max(max - others, has))
if held > 0 then
  list[#list + 1], list[#list + 2], list[#list + 3] = holder, held, now + life
  last = math.max(last, now + life)
end
if #list == 0 then
  redis.call('DEL', KEYS[1])
else
  local rest = string.format('%.0f', math.ceil((last - now) / 1000) + 1)
  redis.call('SET', KEYS[1], cmsgpack.pack(list), 'PX', rest)
end
return {held, others + held}
