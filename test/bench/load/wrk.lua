-- For wrk: sends the lines of a file as JSON, one after the other, and tells what came of it in one line.

local requests = {}
local sent = 0

function init(args)
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, body)
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  local count = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("report requests=%d bytes=%d duration_us=%d median_us=%d errors=%d\n",
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), count))
end
