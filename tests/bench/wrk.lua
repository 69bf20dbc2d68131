-- Sends the requests of a file, which are separated by NUL, in turn from the one of that number on; says what came of it.
local requests, at = {}, 0

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   for one in file:read("*a"):gmatch("[^%z]+") do
      requests[#requests + 1] = one
   end
   file:close()
   at = tonumber(arguments[2])
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency)
   local errors = summary.errors
   print(string.format("RESULT %d %d %d %d %d %d %d %d", summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99), latency.mean, latency.max))
end
