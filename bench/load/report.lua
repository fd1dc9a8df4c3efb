-- For wrk. With the name of a file it takes the cookies in it, one a line, in turns. At the end one
-- line for compare.py: requests, seconds, bytes, socket errors, status errors, p50 and p99 in ms.
function init(args)
  if not args[1] then return end
  local requests, turn = {}, 0
  for cookie in io.lines(args[1]) do
    local headers = {}
    for name, value in pairs(wrk.headers) do headers[name] = value end
    headers["Cookie"] = cookie
    requests[#requests + 1] = wrk.format(nil, nil, headers)
  end
  function request()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %.6f %d %d %d %.4f %.4f\n",
    summary.requests, summary.duration / 1e6, summary.bytes,
    e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
