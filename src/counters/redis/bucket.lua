-- A token bucket: how long until it is full again (the generic cell rate algorithm).
--
-- Key      the bucket: two doubles {debt in ns, when that was in us}
-- Words    ns for a token, burst, want, back, charge (admitted without being bought)
-- Reply    {granted, whole tokens left, us until there is one more}
--
-- A theoretical arrival time in ns would not fit into a double, so its distance from now is kept.
-- The caller sees to it that a token takes 1 ns at least and DEBT_MAX at most.
local DEBT_MAX, REST_MAX = 4000000000000000, 2 ^ 42
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function carry_out(key, first)
  local token = tonumber(ARGV[first])
  local function ns(tokens) return math.min(tokens * token, DEBT_MAX) end

  local debt, seen = 0, now
  local kept = redis.call('GET', key)
  if kept then
    debt, seen = struct.unpack('<dd', kept)
    -- Time never goes back, not even when another server takes over.
    debt = math.max(debt - math.min(math.max(now - seen, 0), REST_MAX) * 1000, 0)
    seen = math.max(seen, now)
  end
  debt = math.max(debt - ns(tonumber(ARGV[first + 3])), 0)
  debt = math.min(debt + ns(tonumber(ARGV[first + 4])), DEBT_MAX)

  local full = ns(tonumber(ARGV[first + 1]))
  local room = math.max(math.floor((full - debt) / token), 0)
  local granted = math.min(tonumber(ARGV[first + 2]), room)
  debt = debt + granted * token
  local left, wait = room - granted, 0
  if left == 0 then wait = math.max(math.ceil((debt + token - full) / 1000), 0) end

  -- One without debt is as good as none; the margin is for clocks that are set.
  local life = math.ceil(debt / 1000000) + math.max(seen - now, 0) / 1000 + 10000
  redis.call('SET', key, struct.pack('<dd', debt, seen), 'PX', string.format('%.0f', life))
  return {granted, left, wait}
end
