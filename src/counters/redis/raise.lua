-- Witness: lifts counters of fixed windows to what somebody has seen of them.
--
-- KEYS     counters
-- ARGV     for each: floor, when it expires in ms since the epoch ('' for never)
-- Reply    how many counters there were
--
-- A counter holds how much was sold in its lower 42 bits, from BELOW_ZERO under zero on, and above
-- them how many orders handed something back. The whole number may be larger than a double can
-- tell, so its lower bits are read digit by digit, and what is missing is added by Redis.
local MODULUS, BELOW_ZERO = 2 ^ 42, 2 ^ 32
for i = 1, #KEYS do
  local digits = redis.call('GET', KEYS[i]) or '0'
  local low = 0
  for digit in string.gmatch(digits, '%d') do low = (low * 10 + tonumber(digit)) % MODULUS end
  if string.sub(digits, 1, 1) == '-' then low = -low end
  local sold = (low + BELOW_ZERO) % MODULUS - BELOW_ZERO
  local missing = tonumber(ARGV[2 * i - 1]) - sold
  if missing > 0 then
    redis.call('INCRBY', KEYS[i], string.format('%.0f', missing))
    if ARGV[2 * i] ~= '' then redis.call('PEXPIREAT', KEYS[i], ARGV[2 * i], 'NX') end
  end
end
return #KEYS
