-- Ledgers of quotas: each report is counted exactly once, and no total is lost with a primary.
--
-- KEYS     the session, the table of members (which knows the epoch of the data), the ledgers
-- ARGV     seq, run id of this primary, life of the session in ms; then for each ledger
--          {bound, want, delta, floor, when it expires in ms since the epoch,
--          '' for never}
-- Reply    {1, granted, total, granted, total, ..., epoch or nothing}, or {0, epoch or nothing} if
--          a later report was here before
--
-- A ledger is msgpack {floor asserted under this primary, added since, run id of it and epoch}; a
-- session is msgpack {seq of its last report, the reply to it but for the epoch}.
local TOTAL_MAX = 2 ^ 51
local seq, run = tonumber(ARGV[1]), ARGV[2]
local epoch = redis.call('HGET', KEYS[2], 'epoch')
local era = run .. (epoch or '')
local function of_epoch(reply)
  reply[#reply + 1] = epoch
  return reply
end
local session = redis.call('GET', KEYS[1])
if session then
  local last = cmsgpack.unpack(session)
  if seq == last[1] then return of_epoch(last[2]) end
  if seq < last[1] then return of_epoch({0}) end
end

local reply = {1}
for i = 3, #KEYS do
  local a = 4 + (i - 3) * 5
  local bound, want, delta = tonumber(ARGV[a]), tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local floor, added, of = 0, 0, era
  local kept = redis.call('GET', KEYS[i])
  if kept then
    local ledger = cmsgpack.unpack(kept)
    floor, added, of = ledger[1], ledger[2], ledger[3]
  end
  -- What another primary had, or this one in an epoch that is forgotten, is the least that there
  -- is; what was lost is asserted next. What came before there was an epoch belongs to the first.
  if of ~= era and of ~= run then floor, added = floor + added, 0 end
  floor = math.max(floor, tonumber(ARGV[a + 3]))
  local total = math.max(0, math.min(floor + added + delta, TOTAL_MAX))
  local granted = math.max(0, math.min(want, bound - total))
  total = total + granted
  local packed, expires = cmsgpack.pack({floor, total - floor, era}), ARGV[a + 4]
  if expires == '' then redis.call('SET', KEYS[i], packed)
  else redis.call('SET', KEYS[i], packed, 'PXAT', expires) end
  reply[#reply + 1] = granted
  reply[#reply + 1] = total
end
redis.call('SET', KEYS[1], cmsgpack.pack({seq, reply}), 'PX', ARGV[3])
return of_epoch(reply)
