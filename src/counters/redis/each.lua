-- The frame of scripts that carry out several orders in one call: each as if it had come alone.
--
-- KEYS     for each order its key; last the table of members, which knows the epoch of the data
-- ARGV     for each order how many words follow, and these
-- Reply    for each order its reply, or the error that ended it and no other; last epoch or nothing
local replies, at = {}, 1
for i = 1, #KEYS - 1 do
  local last = at + tonumber(ARGV[at])
  local done, reply = pcall(carry_out, KEYS[i], at + 1, last)
  if not done then
    -- What Redis says begins with a code, what Lua says does not.
    local said = type(reply) == 'table' and reply.err or tostring(reply)
    reply = {err = string.find(said, '^%u+ ') and said or 'ERR ' .. said}
  end
  replies[i], at = reply, last + 1
end
replies[#KEYS] = redis.call('HGET', KEYS[#KEYS], 'epoch')
return replies
