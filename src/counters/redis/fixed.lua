-- A fixed window: how much was sold in it.
--
-- Key      the counter
-- Words    what is added, when it expires in ms since the epoch ('' for never)
-- Reply    the counter afterwards
local EXACT_MAX = 2 ^ 53
local function carry_out(key, first)
  local sold = redis.call('INCRBY', key, ARGV[first])
  if ARGV[first + 1] ~= '' then redis.call('PEXPIREAT', key, ARGV[first + 1], 'NX') end
  -- What is larger than a double can tell is told in digits.
  if math.abs(sold) >= EXACT_MAX then return redis.call('GET', key) end
  return sold
end
