-- A beat: who lives, who has which seat in the division of limits, and what is held back.
--
-- KEYS[1]  hash: 'epoch' -> of the data; 'began' -> when the first beat of any kind came in it; 'seats' -> how
--          many; 'h' and replica -> when it said that it is on its way back; replica -> msgpack {1 if a member, seat or -1, last beat,
--          run id of the primary it went to, incarnation, seq, {seat, of, from, to, ...}}
-- ARGV     replica, incarnation, seq, not after, miss, unsure after, member ttl, stands, leaves,
--          run id of this primary, how long held-back intervals are kept, epoch that was reported
--          in, whether it is still to report (times in us, flags 0/1)
-- Reply    {0, now} if it comes too late, {2, now} if the data are of another epoch, {3, now,
--          when the first beat in this epoch came, how many are to report, how many others are here}
--          if it is noted that it is to report, or {1, now, seat or -1, seats, members,
--          how many are missing, {seat or -1, last beat} of each,
--          how many intervals are held back, {seat, of, from, to} of each,
--          when the first beat in this epoch came, how many others are to report}
local PRESENT, SEAT, LAST, RUN, LIFE, SEQ, HELD = 1, 2, 3, 4, 5, 6, 7
local HELD_BACK_MAX = 8
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local id, life, seq = ARGV[1], ARGV[2], tonumber(ARGV[3])
local not_after, miss, unsure_after = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local ttl, stands, leaves = tonumber(ARGV[7]), ARGV[8] == '1', ARGV[9] == '1'
local run, keep = ARGV[10], tonumber(ARGV[11])

local all, ids, seats, epoch, began, healing = {}, {}, 0, '0', 0, {}
local table_of_members = redis.call('HGETALL', KEYS[1])
for i = 1, #table_of_members, 2 do
  local field, value = table_of_members[i], table_of_members[i + 1]
  if field == 'seats' then seats = tonumber(value)
  elseif field == 'epoch' then epoch = value
  elseif field == 'began' then began = tonumber(value)
  elseif string.sub(field, 1, 1) == 'h' then healing[field] = tonumber(value)
  else all[field], ids[#ids + 1] = cmsgpack.unpack(value), field end
end
table.sort(ids)
local me = all[id]
if not_after < now or (me and me[LIFE] == life and seq <= me[SEQ]) then return {0, now} end
if epoch ~= ARGV[12] then return {2, now} end
if began == 0 then
  began = now
  redis.call('HSET', KEYS[1], 'began', string.format('%.0f', began))
end
if ARGV[13] == '1' then
  redis.call('HSET', KEYS[1], 'h' .. id, string.format('%.0f', now))
  healing['h' .. id] = now
  local coming, here = 0, 0
  for _, said in pairs(healing) do
    if now - said <= miss then coming = coming + 1 end
  end
  for other, member in pairs(all) do
    if other ~= id and member[PRESENT] == 1 and member[RUN] == run and now - member[LAST] <= miss then
      here = here + 1
    end
  end
  return {3, now, began, coming, here}
end

-- Who beats has reported; and who has not said for long that it will is not waited for.
local awaited = 0
for field, said in pairs(healing) do
  if field == 'h' .. id or now - said > miss then redis.call('HDEL', KEYS[1], field)
  else awaited = awaited + 1 end
end

-- Ends a life that may have used its share: the seat is free, windows since then are held back.
local function hold_back(member)
  local seat, from, held = member[SEAT], math.min(member[LAST] + unsure_after, now), member[HELD]
  member[SEAT] = -1
  if seat < 0 then return end
  local first = 1
  for i = 1, #held, 4 do
    if held[i] == seat and held[i + 1] == seats then
      held[i + 2], held[i + 3] = math.min(held[i + 2], from), now
      return
    end
    if held[i + 3] < held[first + 3] then first = i end
  end
  if #held == HELD_BACK_MAX * 4 then
    for _ = 1, 4 do table.remove(held, first) end
  end
  for _, number in ipairs({seat, seats, from, now}) do held[#held + 1] = number end
end

-- Others that were silent for too long are members no more, and what is old is forgotten.
local changed, forgotten = {[id] = true}, {}
for _, other in ipairs(ids) do
  local member = all[other]
  if other ~= id and member[PRESENT] == 1 and now - member[LAST] > ttl then
    member[PRESENT], changed[other] = 0, true
    hold_back(member)
  end
  local fresh = {}
  for i = 1, #member[HELD], 4 do
    if now - member[HELD][i + 3] <= keep then
      for field = 0, 3 do fresh[#fresh + 1] = member[HELD][i + field] end
    end
  end
  if #fresh < #member[HELD] then member[HELD], changed[other] = fresh, true end
  if other ~= id and member[PRESENT] == 0 and #fresh == 0 and now - member[LAST] > keep then
    all[other], forgotten[#forgotten + 1] = nil, other
  end
end

-- Who beats lives, or leaves.
me = all[id]
if not me then
  me = {0, -1, 0, run, life, 0, {}}
  all[id], ids[#ids + 1] = me, id
  table.sort(ids)
end
if me[LIFE] ~= life and now - me[LAST] > unsure_after then
  local seat = me[SEAT]
  hold_back(me)
  me[SEAT] = seat
end
if stands or leaves then me[SEAT] = -1 end
me[PRESENT], me[LAST], me[RUN], me[LIFE], me[SEQ] = leaves and 0 or 1, now, run, life, seq

local members, missing, held, taken, sitting = 0, {}, {}, {}, false
for _, other in ipairs(ids) do
  local member = all[other]
  if member then
    if member[SEAT] >= 0 then taken[member[SEAT]], sitting = true, true end
    if member[PRESENT] == 1 then
      members = members + 1
      if other ~= id and (now - member[LAST] > miss or member[RUN] ~= run) then
        missing[#missing + 1] = member
      end
    end
    for _, number in ipairs(member[HELD]) do held[#held + 1] = number end
  end
end

-- Everybody stands up while the number of seats is wrong and nobody is missing; then all sit down.
local seat = -1
if not leaves then
  if not sitting and seats ~= members then
    seats = members
    redis.call('HSET', KEYS[1], 'seats', seats)
  end
  if #missing > 0 or (members <= seats and members * 2 >= seats) then
    seat = me[SEAT]
    if seat < 0 then
      local free = 0
      while taken[free] do free = free + 1 end
      if free < seats then seat = free end
    end
    me[SEAT] = seat
  end
end

for other in pairs(changed) do
  if all[other] then redis.call('HSET', KEYS[1], other, cmsgpack.pack(all[other])) end
end
for _, other in ipairs(forgotten) do redis.call('HDEL', KEYS[1], other) end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((math.min(ttl, 1e12) + 2 * keep) / 1000)))

local reply = {1, now, seat, seats, members, #missing}
for _, member in ipairs(missing) do
  reply[#reply + 1] = member[SEAT]
  reply[#reply + 1] = member[LAST]
end
reply[#reply + 1] = #held / 4
for _, number in ipairs(held) do reply[#reply + 1] = number end
reply[#reply + 1] = began
reply[#reply + 1] = awaited
return reply
