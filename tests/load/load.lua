-- What wrk sends: each request the token of the next user, and what a front end asks for. LOAD_TOKENS names a file with a line
-- for each user: path segment, id of a task of theirs, token.
local users = {}
for line in io.lines(os.getenv("LOAD_TOKENS")) do
   local user, task, token = line:match("^(%S+) (%S+) (%S+)$")
   users[#users + 1] = { user = user, task = task, authorization = "Bearer " .. token }
end

local count = 0
function request()
   count = count + 1
   local user = users[count % #users + 1]
   local path = "/api/" .. user.user .. "/tasks"
   local headers = { Authorization = user.authorization }
   local turn = math.floor(count / #users) % 10
   if turn < 6 then
      return wrk.format("GET", path, headers)
   elseif turn < 8 then
      return wrk.format("GET", path .. "/" .. user.task, headers)
   end
   headers["Content-Type"] = "application/json"
   return wrk.format("PATCH", path .. "/" .. user.task .. "/complete", headers, '{"completed":' .. tostring(turn == 8) .. "}")
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      'LOAD {"requests":%d,"seconds":%.3f,"p50":%.1f,"p99":%.1f,"most":%.1f,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
      errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
