#!lua name=@LIBRARY@
--[[ What Redis does for Shopfloor: apply changes, reserve jobs, answer questions. There is no rule in here.

The words (change, transition, guard, place, reservation) are those of core/changes.py and store/port.py, and what each
means is said there. The name of the library carries a digest of its text (library.py), so that servers of different
versions that agree on the layout below can share one Redis, each with functions of its own.

KEYS[1] of every function is `{prefix}:meta`. All other keys have the same tag and are made from it here:

  meta           hash    id: names this data set; layout: 1; back, front: the outermost positions given out;
                         commits: how many changed something; s:<server>: the last commit of that server, as its
                         number, a space, and what was answered (see `remember`)
  jobs           hash    jid -> record
  working        hash    jid -> reservation; a job is working if it is here, whatever its record says
  queues         hash    name -> "1" while paused, else "0"
  q:<name>       zset    jid by position
  scheduled, retries, dead   zset   jid by time
  members, callbacks         zset   one entry a job that belongs to a batch, all of score 0: <length of bid><bid><jid>
  counted        set     the queues of which `busy` counts the reservations: those that have had a limit
  busy           hash    <queue>\nt -> its reservations, <queue>\nw<wid> -> those of one worker
  records:<kind> hash    id -> version (double) and value
  kinds          set     of the kinds that have had a record
  locks          hash    key -> end (double) and owner
  lock_ends      zset    key by end
  totals         hash    processed, failures, and each with `:<day>` behind it

  record       position (double), place (q s r d), time (double), seconds to reserve for (I4, 0: the default), the size
               of the rest of the head (I4); queue (I2 and text), bid and bid of the callback (each I4 and text); then
               the job's own text, which nobody here looks at. Little endian, not aligned.
  reservation  position, reserved at, expires at (doubles), cancelled (0 or 1), wid (I4 and text), then queue and
               bids as they are in the record

Functions that write:

  open(id, layout) -> id, layout, commits
      Names the data set `id` unless it has a name.
  commit(id, server, last, number, now, queues_max, seconds, channel, n, transition..., m, request...) -> answer
      Each transition is the count of its changes, the index of its last guard, and the changes (see `apply` for their
      arguments). Each request is wid, count, the count of its queues, and for each queue its name and its limits (in
      all and for the wid; 0 is none).
      answer: {"ok", 1 where something was written and remembered, conflicts, reserved}
        conflicts: {transition, change, reason, record or false, reservation or false}, counted from 1
        reserved: {request, record...} for each request that got something
      where `number` is the remembered one of that server, the remembered answer again: a commit is sent again
      when its first answer did not arrive.
      or {"emptied", id found or false} where the data set is not that of `id`; nothing is done
      or {"rewound", number} where the last commit remembered is neither `last` nor `number`: something that was
      answered has been lost; nothing is done, and the commit may be sent again with that number as `last`
  leave(server)                  forget what was remembered for it
  flush()                        forget all but soft records (@SOFT@), positions, and what is remembered

Functions that do not:

  load, due, browse, peek, reservations, queues, figures, history, records, locks, batch_jobs: see each. A job is answered as its record and its reservation or false.
]]


local HEAD = '<dc1dI4I4I2c0I4c0I4c0'
local OF_PUT = '<c1dI4I4I2c0I4c0I4c0'
local OF_WORKING = '<dddc1I4c0I2c0I4c0I4c0'
local BATCH = '>I4'
local MANY = 1000 -- values handed to one command: Lua has room for some thousand
local TIMED = { s = 'scheduled', r = 'retries', d = 'dead' }

local function prefix_of(keys)
  return string.sub(keys[1], 1, -5)
end

-- The state of one commit: what it has read, what is to be written at its end, and how to undo the transition.
local function begin(keys, args)
  local prefix = prefix_of(keys)
  return {
    prefix = prefix, meta = keys[1], jobs = prefix .. 'jobs', working = prefix .. 'working', queues = prefix .. 'queues',
    queue = prefix .. 'q:', now = tonumber(args[5]), queues_max = tonumber(args[6]), seconds = tonumber(args[7]),
    known = {}, kinds = {}, totals = {}, gone = {}, empty = {}, woken = {}, wrote = false,
  }
end

local function log(state, undo)
  local steps = state.log
  if steps then steps[#steps + 1] = undo end
end

-- "0" or "1" for a queue that is known, else false.
local function known_queue(state, name)
  local paused = state.known[name]
  if paused == nil then
    paused = redis.call('HGET', state.queues, name)
    state.known[name] = paused
  end
  return paused
end

local function set_queue(state, name, paused)
  local before = known_queue(state, name)
  redis.call('HSET', state.queues, name, paused)
  state.known[name] = paused
  log(state, function()
    state.known[name] = before
    if before then redis.call('HSET', state.queues, name, before) else redis.call('HDEL', state.queues, name) end
  end)
end

local function too_many_queues(state)
  return redis.call('HLEN', state.queues) >= state.queues_max
end

local function in_batch(bid, jid)
  return struct.pack(BATCH, #bid) .. bid .. jid
end

-- Index a job by the batches that its head names, or (`command` ZREM) undo that.
local function index(state, command, bid, callback_bid, jid)
  local function write(key, of)
    if of == '' then return end
    if command == 'ZADD' then redis.call('ZADD', state.prefix .. key, 0, in_batch(of, jid))
    else redis.call('ZREM', state.prefix .. key, in_batch(of, jid)) end
  end
  write('members', bid)
  write('callbacks', callback_bid)
end

local function counted(state, queue)
  local names = state.counted
  if not names then
    names = {}
    for _, name in ipairs(redis.call('SMEMBERS', state.prefix .. 'counted')) do names[name] = true end
    state.counted = names
  end
  return names[queue]
end

local function count_busy(state, queue, wid, by)
  if not counted(state, queue) then return end
  for _, field in ipairs({ queue .. '\nt', queue .. '\nw' .. wid }) do
    if redis.call('HINCRBY', state.prefix .. 'busy', field, by) <= 0 then redis.call('HDEL', state.prefix .. 'busy', field) end
  end
end

-- Begin to count the reservations of a queue: from now on every change of them keeps the figures.
local function begin_counting(state, queue)
  if counted(state, queue) then return end
  redis.call('SADD', state.prefix .. 'counted', queue)
  state.counted[queue] = true
  local reservations = redis.call('HVALS', state.working)
  for _, value in ipairs(reservations) do
    local _, _, _, _, wid, of = struct.unpack(OF_WORKING, value)
    if of == queue then count_busy(state, queue, wid, 1) end
  end
end

local function start(state, jid, reservation, queue, wid)
  redis.call('HSET', state.working, jid, reservation)
  count_busy(state, queue, wid, 1)
end

local function stop(state, jid, queue, wid)
  redis.call('HDEL', state.working, jid)
  count_busy(state, queue, wid, -1)
end

-- The text of a job that left: kept until the transition is known to stand, then deleted.
local function drop_text(state, jid)
  if state.log then state.gone[jid] = true else redis.call('HDEL', state.jobs, jid) end
end

-- A job leaves the place that is not `working`: `key` is the zset it must be in.
local function leave_order(state, jid, key, record)
  local score = redis.call('ZSCORE', key, jid)
  if not score or redis.call('ZREM', key, jid) == 0 then return false end
  local _, _, _, _, _, queue, bid, callback_bid = struct.unpack(HEAD, record)
  index(state, 'ZREM', bid, callback_bid, jid)
  drop_text(state, jid)
  log(state, function()
    redis.call('ZADD', key, score, jid)
    index(state, 'ZADD', bid, callback_bid, jid)
    state.gone[jid] = nil
  end)
  return true, queue
end

local function leave_working(state, jid, holder)
  local value = redis.call('HGET', state.working, jid)
  if not value then return false end
  local _, _, _, _, wid, queue, bid, callback_bid = struct.unpack(OF_WORKING, value)
  if holder ~= '' and holder ~= '=' .. wid then return false end
  stop(state, jid, queue, wid)
  index(state, 'ZREM', bid, callback_bid, jid)
  drop_text(state, jid)
  if counted(state, queue) then state.woken[queue] = true end
  log(state, function()
    start(state, jid, value, queue, wid)
    index(state, 'ZADD', bid, callback_bid, jid)
    state.gone[jid] = nil
  end)
  return true
end

local function is_held(state, jid)
  return not state.gone[jid] and redis.call('HEXISTS', state.jobs, jid) == 1
end

-- Write the record of a job; false where one of that jid is held.
local function write_record(state, jid, record)
  if not state.gone[jid] then
    if redis.call('HSETNX', state.jobs, jid, record) == 0 then return false end
    log(state, function() redis.call('HDEL', state.jobs, jid) end)
    return true
  end
  if state.log then -- what leaves in this transition comes back in it
    local before = redis.call('HGET', state.jobs, jid)
    log(state, function()
      redis.call('HSET', state.jobs, jid, before)
      state.gone[jid] = true
    end)
  end
  redis.call('HSET', state.jobs, jid, record)
  state.gone[jid] = nil
  return true
end

-- One function for each kind of change: (state, args, i of its first argument) -> reason or nil. SIZES has the counts
-- of their arguments. Each checks before it writes, and tells `log` how to undo what it wrote.
local SIZES = { P = 7, T = 3, A = 4, N = 5, C = 4, R = 2, U = 3, S = 2, K = 3 }
local apply = {}

-- Put: jid, place, time, flags (1 front, 2 new, 4 belongs to a batch), limit, queue, record without its position
function apply.P(state, a, i)
  local jid, place, flags, limit, queue = a[i], a[i + 1], tonumber(a[i + 3]), tonumber(a[i + 4]), a[i + 5]
  local known
  if place == 'q' then
    known = known_queue(state, queue)
    local reason
    if not known then
      if flags % 4 >= 2 and too_many_queues(state) then reason = 'queues' end
    elseif limit > 0 and redis.call('ZCARD', state.queue .. queue) >= limit then
      reason = 'full'
    end
    if reason then return is_held(state, jid) and 'held' or reason end
  end
  local position
  if flags % 2 == 1 then position = state.front - 1 else position = state.back + 1 end
  if not write_record(state, jid, struct.pack('<d', position) .. a[i + 6]) then return 'held' end
  if flags % 2 == 1 then state.front = position else state.back = position end
  if place == 'q' and not known then set_queue(state, queue, '0') end
  local key = place == 'q' and state.queue .. queue or state.prefix .. TIMED[place]
  redis.call('ZADD', key, place == 'q' and position or a[i + 2], jid)
  log(state, function() redis.call('ZREM', key, jid) end)
  if flags >= 4 then
    local _, _, _, _, _, bid, callback_bid = struct.unpack(OF_PUT, a[i + 6])
    index(state, 'ZADD', bid, callback_bid, jid)
    log(state, function() index(state, 'ZREM', bid, callback_bid, jid) end)
  end
  if place == 'q' then state.woken[queue] = true end
end

-- Take: jid, place (w is working), holder ("" for whoever has it, else "=" and the wid)
function apply.T(state, a, i)
  local jid, place, holder = a[i], a[i + 1], a[i + 2]
  if place == 'w' then
    if not leave_working(state, jid, holder) then return 'gone' end
    return
  end
  local record = not state.gone[jid] and redis.call('HGET', state.jobs, jid)
  if not record or string.sub(record, 9, 9) ~= place or (holder ~= '' and holder ~= '=') then return 'gone' end
  local key
  if place == 'q' then
    local _, _, _, _, _, queue = struct.unpack(HEAD, record)
    key = state.queue .. queue
  else
    key = state.prefix .. TIMED[place]
  end
  if not leave_order(state, jid, key, record) then return 'gone' end
end

-- Amend: jid, holder as for Take, expires at, cancelled (0 or 1)
function apply.A(state, a, i)
  local jid, holder, expires_at, cancelled = a[i], a[i + 1], tonumber(a[i + 2]), a[i + 3]
  local before = redis.call('HGET', state.working, jid)
  if not before then return 'gone' end
  local _, _, until_then, was_cancelled, wid = struct.unpack(OF_WORKING, before)
  if holder ~= '' and holder ~= '=' .. wid then return 'gone' end
  if until_then > expires_at then expires_at = until_then end
  if was_cancelled == '1' then cancelled = '1' end
  redis.call('HSET', state.working, jid,
    string.sub(before, 1, 16) .. struct.pack('<d', expires_at) .. cancelled .. string.sub(before, 26))
  log(state, function() redis.call('HSET', state.working, jid, before) end)
end

-- Note: kind, id, expected version, 1 where there is a value, value
function apply.N(state, a, i)
  local kind, id, expected = a[i], a[i + 1], tonumber(a[i + 2])
  local key = state.prefix .. 'records:' .. kind
  local before = redis.call('HGET', key, id)
  if (before and struct.unpack('<d', before) or 0) ~= expected then return 'version' end
  if a[i + 3] == '1' then
    redis.call('HSET', key, id, struct.pack('<d', expected + 1) .. a[i + 4])
    if not before and not state.kinds[kind] then
      redis.call('SADD', state.prefix .. 'kinds', kind)
      state.kinds[kind] = true
    end
  elseif before then
    redis.call('HDEL', key, id)
  end
  log(state, function()
    if before then redis.call('HSET', key, id, before) else redis.call('HDEL', key, id) end
  end)
end

local function set_lock(state, key, value)
  if value then
    redis.call('HSET', state.prefix .. 'locks', key, value)
    redis.call('ZADD', state.prefix .. 'lock_ends', (struct.unpack('<d', value)), key)
  else
    redis.call('HDEL', state.prefix .. 'locks', key)
    redis.call('ZREM', state.prefix .. 'lock_ends', key)
  end
end

-- Claim: key, owner, until, now
function apply.C(state, a, i)
  local key, owner, ends, now = a[i], a[i + 1], tonumber(a[i + 2]), tonumber(a[i + 3])
  local before = redis.call('HGET', state.prefix .. 'locks', key)
  if before and string.sub(before, 9) ~= owner and struct.unpack('<d', before) > now then return 'claimed' end
  set_lock(state, key, struct.pack('<d', ends) .. owner)
  log(state, function() set_lock(state, key, before) end)
end

-- Release: key, owner
function apply.R(state, a, i)
  local key, owner = a[i], a[i + 1]
  local before = redis.call('HGET', state.prefix .. 'locks', key)
  if before and string.sub(before, 9) == owner then
    set_lock(state, key, false)
    log(state, function() set_lock(state, key, before) end)
  end
end

-- Count: name, day, by
function apply.U(state, a, i)
  local name, day, by, totals = a[i], a[i + 1], tonumber(a[i + 2]), state.totals
  day = name .. ':' .. day
  totals[name], totals[day] = (totals[name] or 0) + by, (totals[day] or 0) + by
  log(state, function() totals[name], totals[day] = totals[name] - by, totals[day] - by end)
end

-- Pause: queue, paused (0 or 1)
function apply.S(state, a, i)
  local queue, paused = a[i], a[i + 1]
  if not known_queue(state, queue) and too_many_queues(state) then return 'queues' end
  set_queue(state, queue, paused)
  if paused == '0' then state.woken[queue] = true end
end

-- Clear: place, queue, count
function apply.K(state, a, i)
  local place, queue, count = a[i], a[i + 1], tonumber(a[i + 2])
  if place == 'w' then
    local jids = redis.call('HKEYS', state.working)
    for n = 1, math.min(count, #jids) do leave_working(state, jids[n], '') end
    return
  end
  if place == 'q' and not known_queue(state, queue) then return end
  local key = place == 'q' and state.queue .. queue or state.prefix .. TIMED[place]
  if count > 0 then
    for _, jid in ipairs(redis.call('ZRANGE', key, 0, count - 1)) do
      leave_order(state, jid, key, redis.call('HGET', state.jobs, jid))
    end
  end
  if place == 'q' and redis.call('EXISTS', key) == 0 then
    local before = state.known[queue]
    redis.call('HDEL', state.queues, queue)
    state.known[queue] = false
    log(state, function()
      redis.call('HSET', state.queues, queue, before)
      state.known[queue] = before
    end)
  end
end

-- Apply one transition from argument i on -> i behind it, and where it was not applied the change and the reason.
local function transition(state, a, i)
  local count, last_guard = tonumber(a[i]), tonumber(a[i + 1])
  i = i + 2
  local steps = last_guard > 1 and {} or nil
  local failed, reason, failed_op, failed_jid
  for n = 1, count do
    local op = a[i]
    if not failed then
      state.log = n < last_guard and steps or nil
      reason = apply[op](state, a, i + 1)
      if reason then failed, failed_op, failed_jid = n, op, a[i + 1] end
    end
    i = i + 1 + SIZES[op]
  end
  state.log = nil
  if failed then
    for n = steps and #steps or 0, 1, -1 do steps[n]() end
    state.gone = {}
    local of_put = failed_op == 'P' and failed_jid
    local record = of_put and redis.call('HGET', state.jobs, of_put) or false
    return i, failed, reason, record, record and redis.call('HGET', state.working, of_put) or false
  end
  if next(state.gone) then
    for jid in pairs(state.gone) do redis.call('HDEL', state.jobs, jid) end
    state.gone = {}
  end
  if count > 0 then state.wrote = true end
  return i
end

-- How many of `count` jobs a queue that has a limit may give out.
local function room(state, queue, wid, count, in_all, for_wid)
  begin_counting(state, queue)
  local busy = state.prefix .. 'busy'
  if in_all > 0 then
    count = math.min(count, in_all - tonumber(redis.call('HGET', busy, queue .. '\nt') or 0))
  end
  if for_wid > 0 then
    count = math.min(count, for_wid - tonumber(redis.call('HGET', busy, queue .. '\nw' .. wid) or 0))
  end
  return count
end

local function begin_work(state, jid, wid)
  local record = redis.call('HGET', state.jobs, jid)
  if not record then return nil end -- cannot be, unless somebody else writes here
  local position, _, _, seconds, size, queue = struct.unpack(HEAD, record)
  local expires_at = state.now + (seconds == 0 and state.seconds or seconds)
  local reservation = struct.pack('<dddc1I4c0', position, state.now, expires_at, '0', #wid, wid)
  start(state, jid, reservation .. string.sub(record, 26, 25 + size), queue, wid)
  return record
end

-- Serve one request from argument i on -> i behind it, the jids and the records of the jobs it got or nil.
local function reserve(state, a, i)
  local wid, count, queues = a[i], tonumber(a[i + 1]), tonumber(a[i + 2])
  local jids, records
  i = i + 3
  for _ = 1, queues do
    local name = a[i]
    if not records and not state.empty[name] and known_queue(state, name) == '0' then
      local in_all, for_wid, most = tonumber(a[i + 1]), tonumber(a[i + 2]), count
      if in_all > 0 or for_wid > 0 then most = room(state, name, wid, count, in_all, for_wid) end
      local popped = most > 0 and redis.call('ZPOPMIN', state.queue .. name, most) or {}
      if most > 0 and #popped < 2 * most then state.empty[name] = true end
      for n = 1, #popped, 2 do
        local record = begin_work(state, popped[n], wid)
        if record then
          if not records then jids, records = {}, {} end
          jids[#jids + 1], records[#records + 1] = popped[n], record
        end
      end
    end
    i = i + 3
  end
  return i, jids, records
end

local function write_totals(state)
  for field, by in pairs(state.totals) do
    if by ~= 0 then redis.call('HINCRBY', state.prefix .. 'totals', field, by) end
  end
end

-- Tell the other servers which queues have something to give.
local function wake(state, server, channel)
  if not next(state.woken) then return end
  if redis.call('PUBSUB', 'NUMSUB', channel)[2] < 2 then return end
  local names = {}
  for name in pairs(state.woken) do
    if known_queue(state, name) == '0' and redis.call('EXISTS', state.queue .. name) == 1 then names[#names + 1] = name end
  end
  if #names > 0 then redis.call('PUBLISH', channel, server .. ' ' .. table.concat(names, ' ')) end
end

-- What of an answer is remembered: conflicts without the jobs they met, and jids in the place of records.
local function remember(conflicts, reserved)
  if #conflicts == 0 and #reserved == 0 then return '' end
  local short = {}
  for n, conflict in ipairs(conflicts) do short[n] = { conflict[1], conflict[2], conflict[3] } end
  return cmsgpack.pack({ short, reserved })
end

local function remembered(state, packed)
  if packed == '' then return { 'ok', 1, {}, {} } end
  local short, reserved = unpack(cmsgpack.unpack(packed))
  for _, conflict in ipairs(short) do conflict[4], conflict[5] = false, false end
  local answer = {}
  for n, one in ipairs(reserved) do
    local records = { one[1] }
    for k = 2, #one do
      if redis.call('HEXISTS', state.working, one[k]) == 1 then
        records[#records + 1] = redis.call('HGET', state.jobs, one[k])
      end
    end
    answer[n] = records
  end
  return { 'ok', 1, short, answer }
end

local function commit(keys, args)
  local state = begin(keys, args)
  local id, server = args[1], 's:' .. args[2]
  local found, back, front, last = unpack(redis.call('HMGET', state.meta, 'id', 'back', 'front', server))
  if found ~= id then return { 'emptied', found } end
  local number, packed = string.match(last or '0 ', '^(%d+) (.*)$')
  if number == args[4] then return remembered(state, packed) end
  if number ~= args[3] then return { 'rewound', number } end
  state.back, state.front = tonumber(back or 0), tonumber(front or 0)
  local conflicts, reserved, jids = {}, {}, {}
  local i = 10
  for n = 1, tonumber(args[9]) do
    local change, reason, record, reservation
    i, change, reason, record, reservation = transition(state, args, i)
    if change then conflicts[#conflicts + 1] = { n, change, reason, record, reservation } end
  end
  local requests = tonumber(args[i])
  i = i + 1
  for n = 1, requests do
    local got, records
    i, got, records = reserve(state, args, i)
    if got then
      table.insert(got, 1, n)
      table.insert(records, 1, n)
      jids[#jids + 1], reserved[#reserved + 1] = got, records
    end
  end
  if not state.wrote and #reserved == 0 then return { 'ok', 0, conflicts, {} } end
  write_totals(state)
  redis.call('HSET', state.meta, 'back', state.back, 'front', state.front, server, args[4] .. ' ' .. remember(conflicts, jids))
  redis.call('HINCRBY', state.meta, 'commits', 1)
  wake(state, args[2], args[8])
  return { 'ok', 1, conflicts, reserved }
end

local function open(keys, args)
  redis.call('HSETNX', keys[1], 'id', args[1])
  redis.call('HSETNX', keys[1], 'layout', args[2])
  return redis.call('HMGET', keys[1], 'id', 'layout', 'commits')
end

local function leave(keys, args)
  redis.call('HDEL', keys[1], 's:' .. args[1])
  return 'OK'
end

local function flush(keys, args)
  local prefix, soft = prefix_of(keys), {}
  for _, kind in ipairs(args) do soft[kind] = true end
  for _, name in ipairs(redis.call('HKEYS', prefix .. 'queues')) do redis.call('UNLINK', prefix .. 'q:' .. name) end
  for _, kind in ipairs(redis.call('SMEMBERS', prefix .. 'kinds')) do
    if not soft[kind] then
      redis.call('UNLINK', prefix .. 'records:' .. kind)
      redis.call('SREM', prefix .. 'kinds', kind)
    end
  end
  for _, name in ipairs({ 'jobs', 'working', 'queues', 'scheduled', 'retries', 'dead', 'members', 'callbacks', 'counted',
    'busy', 'locks', 'lock_ends', 'totals' }) do
    redis.call('UNLINK', prefix .. name)
  end
  return 'OK'
end

-- Answer records and reservations for jids, leaving out those that are not held: record, reservation or false, ...
local function held(prefix, jids, answer)
  for from = 1, #jids, MANY do
    local upto = math.min(from + MANY - 1, #jids)
    local records = redis.call('HMGET', prefix .. 'jobs', unpack(jids, from, upto))
    local reservations = redis.call('HMGET', prefix .. 'working', unpack(jids, from, upto))
    for n = 1, upto - from + 1 do
      if records[n] then
        answer[#answer + 1] = records[n]
        answer[#answer + 1] = reservations[n]
      end
    end
  end
  return answer
end

-- Answer the records of some jids: count of jids, jid..., then kind, id of each small record. First the jobs, as for
-- `held`, then the small records or false.
local function load(keys, args)
  local prefix, count, jids, records = prefix_of(keys), tonumber(args[1]), {}, {}
  for n = 1, count do jids[n] = args[n + 1] end
  for i = count + 2, #args, 2 do
    records[#records + 1] = redis.call('HGET', prefix .. 'records:' .. args[i], args[i + 1])
  end
  return { held(prefix, jids, {}), records }
end

-- place, now, count: the jobs whose time has come
local function due(keys, args)
  local prefix = prefix_of(keys)
  local jids = redis.call('ZRANGE', prefix .. args[1], '-inf', args[2], 'BYSCORE', 'LIMIT', 0, args[3])
  return held(prefix, jids, {})
end

-- Whether one text is before another byte by byte, which is the order of a zset. `<` would ask the locale.
local function precedes(one, other)
  for n = 1, math.min(#one, #other) do
    local a, b = string.byte(one, n), string.byte(other, n)
    if a ~= b then return a < b end
  end
  return #one < #other
end

-- Count the entries of a timed place that are before (`behind` = 0) or not behind (1) a time and jid.
local function rank_of(key, at, jid, behind)
  local low, high = redis.call('ZCOUNT', key, '-inf', '(' .. at), redis.call('ZCOUNT', key, '-inf', at)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local other = redis.call('ZRANGE', key, middle, middle)[1]
    if precedes(other, jid) or (behind == 1 and other == jid) then low = middle + 1 else high = middle end
  end
  return low
end

-- place, latest first (0 or 1), count, and to go on: time, jid. Answers the jobs, and the mark of the last if there
-- may be more: {jobs, {jid, time} or {}}
local function browse(keys, args)
  local prefix, latest, count = prefix_of(keys), args[2] == '1', tonumber(args[3])
  local key, first = prefix .. args[1], 0
  local size = redis.call('ZCARD', key)
  if args[4] then
    first = latest and size - rank_of(key, args[4], args[5], 0) or rank_of(key, args[4], args[5], 1)
  end
  local found = count > 0 and redis.call(latest and 'ZREVRANGE' or 'ZRANGE', key, first, first + count - 1, 'WITHSCORES') or {}
  local jids = {}
  for n = 1, #found, 2 do jids[#jids + 1] = found[n] end
  local mark = #jids == count and count > 0 and { found[#found - 1], found[#found] } or {}
  return { held(prefix, jids, {}), mark }
end

-- queue, offset, count
local function peek(keys, args)
  local prefix, offset, count = prefix_of(keys), tonumber(args[2]), tonumber(args[3])
  if count < 1 then return {} end
  return held(prefix, redis.call('ZRANGE', prefix .. 'q:' .. args[1], offset, offset + count - 1), {})
end

-- Every working job.
local function reservations(keys)
  local prefix = prefix_of(keys)
  return held(prefix, redis.call('HKEYS', prefix .. 'working'), {})
end

-- name, "1" where paused, size, ... of every queue
local function queues(keys)
  local prefix, answer = prefix_of(keys), {}
  local known = redis.call('HGETALL', prefix .. 'queues')
  for n = 1, #known, 2 do
    answer[#answer + 1] = known[n]
    answer[#answer + 1] = known[n + 1]
    answer[#answer + 1] = redis.call('ZCARD', prefix .. 'q:' .. known[n])
  end
  return answer
end

-- The counts of working, scheduled, retries, dead; processed and failures as text or false
local function figures(keys)
  local prefix = prefix_of(keys)
  local totals = redis.call('HMGET', prefix .. 'totals', 'processed', 'failures')
  return {
    redis.call('HLEN', prefix .. 'working'), redis.call('ZCARD', prefix .. 'scheduled'), redis.call('ZCARD', prefix .. 'retries'),
    redis.call('ZCARD', prefix .. 'dead'), totals[1], totals[2],
  }
end

-- day...: processed and failures of each, as text or false
local function history(keys, args)
  local key, answer = prefix_of(keys) .. 'totals', {}
  for n, day in ipairs(args) do
    answer[2 * n - 1] = redis.call('HGET', key, 'processed:' .. day)
    answer[2 * n] = redis.call('HGET', key, 'failures:' .. day)
  end
  return answer
end

-- kind: id, record, ...
local function records(keys, args)
  return redis.call('HGETALL', prefix_of(keys) .. 'records:' .. args[1])
end

-- until, count: key, lock, ... of those that end then or before, the earliest first
local function locks(keys, args)
  local prefix, answer = prefix_of(keys), {}
  local ended = redis.call('ZRANGE', prefix .. 'lock_ends', '-inf', args[1], 'BYSCORE', 'LIMIT', 0, args[2])
  for n, key in ipairs(ended) do
    answer[2 * n - 1] = key
    answer[2 * n] = redis.call('HGET', prefix .. 'locks', key)
  end
  return answer
end

-- bid: the jids of its members, and of its callbacks
local function batch_jobs(keys, args)
  local prefix, answer = prefix_of(keys), {}
  local from = in_batch(args[1], '')
  for _, name in ipairs({ 'members', 'callbacks' }) do
    local jids = redis.call('ZRANGE', prefix .. name, '[' .. from, '(' .. from .. '\255', 'BYLEX')
    for n, entry in ipairs(jids) do jids[n] = string.sub(entry, #from + 1) end
    answer[#answer + 1] = jids
  end
  return answer
end

local function writes(name, body, flags)
  redis.register_function({ function_name = '@LIBRARY@_' .. name, callback = body, flags = flags or {} })
end

local function asks(name, body)
  writes(name, body, { 'no-writes' })
end

writes('commit', commit)
writes('drain', commit, { 'allow-oom' }) -- the same, for commits without new jobs: they may run where memory is short
writes('open', open)
writes('leave', leave, { 'allow-oom' })
writes('flush', flush, { 'allow-oom' })
asks('load', load)
asks('due', due)
asks('browse', browse)
asks('peek', peek)
asks('reservations', reservations)
asks('queues', queues)
asks('figures', figures)
asks('history', history)
asks('records', records)
asks('locks', locks)
asks('batch_jobs', batch_jobs)
