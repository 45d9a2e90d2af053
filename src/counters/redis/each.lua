-- The frame of scripts that carry out several orders in one call: each as if it had come alone.
--
-- KEYS     for each order its key; last the table of members, which knows the epoch of the data
-- ARGV     for each order how many words follow, and these
-- Reply    for each order its reply, or the error that ended it and no other; last epoch or nothing
local replies, at = {}, 1
for i = 1, #KEYS - 1 do
  local last = at + tonumber(ARGV[at])
  local done, reply = pcall(carry_out, KEYS[i], at + 1, last)
  if not done and type(reply) ~= 'table' then reply = {err = 'ERR ' .. tostring(reply)} end
  replies[i], at = reply, last + 1
end
replies[#KEYS] = redis.call('HGET', KEYS[#KEYS], 'epoch')
return replies
