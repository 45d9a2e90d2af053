-- Every request names another key. The prefix keeps one run's keys from another's.
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "{{path}}?key={{prefix}}" .. number)
end
