-- Permits of a shared concurrency limit: who holds how many, until when, and who lacks some.
--
-- Key      msgpack {holder, permits, expires at in us, number of its last order, lacks some until
--          in us, holder, ...}
-- Words    holder, number of the order, inside, need, want, max, life in us, patience in us
-- Reply    {held by the holder, held by all, 1 if another holder lacks some}
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function carry_out(key, first)
  local holder, number = ARGV[first], tonumber(ARGV[first + 1])
  local inside, need, want = tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4])
  local max, life, patience = tonumber(ARGV[first + 5]), tonumber(ARGV[first + 6]), tonumber(ARGV[first + 7])
  local list, others, has, known, wanted, last = {}, 0, 0, 0, 0, 0
  local kept = redis.call('GET', key)
  if kept then
    local before = cmsgpack.unpack(kept)
    for i = 1, #before, 5 do
      if now >= before[i + 2] then
        -- It expired: nobody holds it.
      elseif before[i] == holder then has, known = before[i + 1], before[i + 3]
      else
        for field = 0, 4 do list[#list + 1] = before[i + field] end
        others, last = others + before[i + 1], math.max(last, before[i + 2])
        if now < before[i + 4] then wanted = 1 end
      end
    end
  end

  -- An order that comes after a later one of its holder changes nothing.
  if number <= known then return {has, others + has, wanted} end

  -- What is held already is never taken away, not even when the limit was lowered; and who is inside
  -- is inside.
  local held = math.max(math.min(want, math.max(max - others, has)), inside)
  local lacks = held < need and now + patience or 0
  for _, field in ipairs({holder, held, now + life, number, lacks}) do list[#list + 1] = field end
  last = math.max(last, now + life)
  local rest = string.format('%.0f', math.ceil((last - now) / 1000) + 1)
  redis.call('SET', key, cmsgpack.pack(list), 'PX', rest)
  return {held, others + held, wanted}
end
