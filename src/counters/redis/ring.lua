-- A sliding window: what was sold in each of its newest sub-windows.
--
-- Key      the ring, as msgpack: {newest sub-window, sold in it, sold in the one before it, ...}
-- Words    parts in a period, sub-window to sell in, want, bound, life in ms; then any number of
--          marks {sub-window, 'b', 'c' or 'f', amount}: back, charged without being bought, floor
-- Reply    {granted, used by the fullest run that holds the sub-window, sold in it,
--           sub-windows until one more token could be had}
--
-- An interval as long as a period meets at most parts + 1 sub-windows, in whatever phase: so no run
-- of parts + 1 neighbours may sell more than the bound.
local AMOUNT_MAX, SLACK = 2 ^ 46, 2

local function carry_out(key, first, last)
  local parts, at = tonumber(ARGV[first]), tonumber(ARGV[first + 1])
  local want, bound = tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
  local life, newest, sold, changed = ARGV[first + 4], at, {}, false
  -- A ring that is new holds nothing that runs could count, and most keys are seen once.
  local kept
  local all = math.max(0, math.min(want, bound))
  if last == first + 4 and all > 0 then
    kept = redis.call('SET', key, cmsgpack.pack({at, all}), 'PX', life, 'NX', 'GET')
    if not kept then return {all, all, all, all >= bound and parts + 1 or 0} end
  else
    kept = redis.call('GET', key)
  end
  if kept then
    local list = cmsgpack.unpack(kept)
    for i = 2, #list do sold[list[1] - i + 2] = list[i] end
    newest = math.max(newest, list[1])
  end
  -- A list that was written for more parts may hold older ones than count here.
  local function sold_in(x)
    return x >= newest - parts - SLACK and sold[x] or 0
  end

  for i = first + 5, last, 3 do
    local x, kind, amount = tonumber(ARGV[i]), ARGV[i + 1], tonumber(ARGV[i + 2])
    if x >= newest - parts - SLACK and x <= newest + SLACK then
      newest = math.max(newest, x)
      local before, after = sold_in(x), 0
      if kind == 'b' then after = math.max(before - amount, 0)
      elseif kind == 'c' then after = math.min(before + amount, AMOUNT_MAX)
      else after = math.max(before, amount) end
      sold[x], changed = after, changed or after ~= before
    end
  end

  -- The runs that hold `at`, by how much later than `at` they end.
  local run, runs = 0, {}
  for x = at - parts, at do run = run + sold_in(x) end
  runs[0] = run
  local used = run
  for after = 1, parts do
    run = run + sold_in(at + after) - sold_in(at + after - parts - 1)
    runs[after], used = run, math.max(used, run)
  end

  local too_old = math.max(newest - SLACK - at, 0)
  local granted = 0
  if too_old == 0 then granted = math.max(0, math.min(want, bound - used)) end
  if granted > 0 then sold[at], changed = sold_in(at) + granted, true end

  local wait = 0
  for after = 0, parts do
    if runs[after] + granted >= bound then wait = after + 1 end
  end
  wait = math.min(math.max(wait, too_old), parts + 1)

  -- A refusal changes nothing, and must not keep an idle ring alive either.
  if changed then
    local list = {newest}
    for x = newest, newest - parts - SLACK, -1 do list[#list + 1] = sold_in(x) end
    while #list > 1 and list[#list] == 0 do list[#list] = nil end
    redis.call('SET', key, cmsgpack.pack(list), 'PX', life)
  end
  return {granted, used + granted, sold_in(at), wait}
end
