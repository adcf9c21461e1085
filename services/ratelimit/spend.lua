#!lua name=limits_@VERSION@
-- Limits of a company and its scanners, decided and charged in one atomic step.
--
-- KEYS, the same for every function and all of one company: overrides, the scanner's buckets, the company's buckets,
-- the month's quota, the spend. Times are microseconds since 1970 and come from the caller: nothing here reads a clock.
-- `now`, what its clock shows, is the time of the buckets; `accept_time`, later than every watermark, that of the quota.
--
-- A bucket is what it owes, in scans times the microseconds of its span, and when it owed that: `<owed>@<at>`. It pays
-- back `limit` a microsecond, which is GCRA with the theoretical arrival time at `at + owed / limit`; kept like this,
-- it is a whole number for every limit, and what was spent stays spent when the limit changes. A missing bucket owes
-- nothing. The quota is a hash: the base from the ledger (`total watermark as_of`), the time from which on every grant
-- is in it (`since`), the sum of its cells (`pending`), and the cells, `<start>` = scans granted in 10 s.
--
-- Numbers are doubles: exact up to 2^53, which is the year 2255 in microseconds.

local SPANS = {
  ['company.day'] = 86400e6,
  ['company.minute'] = 60e6,
  ['scanner.hour'] = 3600e6,
  ['scanner.minute'] = 60e6,
}
local CELL = 10e6
local FRESH = 5e6 -- a base this old is good enough to refuse by
local SKEW = 15e6 -- between the clocks of two replicas; one that is further ahead is wrong
local TRUST_STALE, TRUST_NONE = 1, 2
local HEADER = 43 -- of a spend: the scanner's id and the period, for the refund to find its keys
local SPEND_TTL = 60 -- seconds: longer than any publish goes on
local BUCKETS_TTL = 2 * 86400 -- twice the longest span; a bucket that is full says no more than one that is missing
local QUOTA_TTL = 40 * 86400
local OVERRIDES_TTL = 7 * 86400

local function whole(number) return string.format('%.0f', number) end

local function asked(args)
  local ask = {
    now = tonumber(args[1]),
    accept_time = tonumber(args[2]),
    scanner = args[3],
    cost = tonumber(args[4]),
    partial = args[5] == '1',
    enforcement = args[6],
    trust = tonumber(args[7]),
    header = args[8],
    limits = {},
  }
  for index = 9, #args, 2 do
    table.insert(ask.limits, { name = args[index], default = tonumber(args[index + 1]) })
  end
  return ask
end

-- Sets each limit's value in force and who set it; answers when the overrides were read, nil if they are not here.
local function override(key, ask)
  local fields = { 'revision', 'read_time' }
  for _, limit in ipairs(ask.limits) do
    table.insert(fields, ask.scanner .. '/' .. limit.name)
    table.insert(fields, '/' .. limit.name)
  end
  local known = redis.call('HMGET', key, unpack(fields))
  if not known[1] then return nil end
  for index, limit in ipairs(ask.limits) do
    local scanner, company = known[2 * index + 1], known[2 * index + 2]
    limit.from = scanner and ask.scanner ~= '' and 'scanner' or company and 'company' or ''
    limit.value = tonumber(limit.from == 'scanner' and scanner or company) or limit.default
  end
  return tonumber(known[2])
end

local function owed(key, name, value, now)
  local debt, at = string.match(redis.call('HGET', key, name) or '', '(%d+)@(%d+)')
  if not debt then return 0, now end
  debt, at = tonumber(debt), tonumber(at)
  -- Of a time that no good clock can have shown yet, nobody knows how long ago it was: the bucket pays back from now on.
  local misdated = at - now > SKEW
  if misdated then at = now end
  -- Never more than a full span of the limit now in force; a clock behind another replica's pays nothing back twice.
  debt = math.min(debt, value * SPANS[name]) - math.max(0, now - at) * value
  return math.max(0, debt), math.max(now, at), misdated
end

-- Rounds up, and not by `ceil`: the quotient of two exact numbers is not always exact.
local function scans(debt, span)
  local count = math.floor(debt / span)
  return count * span < debt and count + 1 or count
end

local function weigh_bucket(limit, keys, now)
  limit.key = string.sub(limit.name, 1, 8) == 'scanner.' and keys[2] or keys[3]
  limit.owed, limit.at, limit.misdated = owed(limit.key, limit.name, limit.value, now)
  limit.free = math.max(0, limit.value - scans(limit.owed, SPANS[limit.name]))
end

-- How long from `now` until a bucket grants `count`; what never fits is worth another try after a span.
local function wait(limit, count, now)
  local span = SPANS[limit.name]
  if count > limit.value then return span end
  local excess = limit.owed - (limit.value - count) * span
  return excess > 0 and limit.at - now + math.min(span, math.ceil(excess / limit.value)) or 0
end

-- Sets what the quota has left; answers what is needed first, if anything is.
local function weigh_quota(limit, key, ask)
  local known = redis.call('HMGET', key, 'total', 'watermark', 'as_of', 'since', 'pending')
  local total, watermark, as_of = tonumber(known[1]), tonumber(known[2]), tonumber(known[3])
  limit.total = total or 0
  limit.free = math.max(0, limit.value - limit.total - (tonumber(known[5]) or 0))
  limit.certainty = 'exact'
  if limit.value == 0 then return nil end
  if not total then
    limit.certainty = 'no_base'
    return ask.trust < TRUST_NONE and { 'base', 'missing' } or nil
  end
  if (tonumber(known[4]) or ask.accept_time) > watermark then limit.certainty = 'cells_unknown' end
  local decides = ask.cost == 0 or limit.free < ask.cost
  if decides and ask.trust < TRUST_STALE and ask.accept_time - as_of > FRESH then return { 'base', 'stale' } end
  return nil
end

-- The month's quota takes part where it refuses; who only looks is shown one that is billed beyond as well.
local function takes_part(limit, ask)
  if limit.name ~= 'company.month' then return limit.value ~= nil end
  if ask.enforcement == 'end' then limit.value, limit.from = limit.default, '' end
  local refuses = ask.enforcement ~= 'count' or limit.from ~= ''
  return limit.value ~= nil and (refuses or ask.cost == 0)
end

-- Answers the limits that take part, each with what it has `free`; or nil and what is needed first.
local function weigh(keys, ask)
  ask.read_time = override(keys[1], ask)
  if not ask.read_time then return nil, { 'overrides' } end
  local watermark = tonumber(redis.call('HGET', keys[3], 'watermark')) or 0
  if ask.accept_time <= watermark then return nil, { 'later', watermark } end
  local part = {}
  for _, limit in ipairs(ask.limits) do
    if takes_part(limit, ask) then
      table.insert(part, limit)
      local need = nil
      if SPANS[limit.name] then weigh_bucket(limit, keys, ask.now) else need = weigh_quota(limit, keys[4], ask) end
      if need then return nil, need end
    end
  end
  return part, nil
end

local function decided(ask, granted, entries, part)
  local certainty = 'exact'
  for _, limit in ipairs(part) do certainty = limit.certainty or certainty end
  return { 'decided', granted, ask.accept_time, ask.read_time, certainty, entries }
end

local function grant(ask, part)
  local least = ask.cost
  for _, limit in ipairs(part) do least = math.min(least, limit.free) end
  return (ask.partial or least == ask.cost) and least or 0
end

local function count_in_cell(key, accept_time, count)
  redis.call('HINCRBY', key, whole(accept_time - accept_time % CELL), count)
  redis.call('HINCRBY', key, 'pending', count)
  redis.call('HSETNX', key, 'since', whole(accept_time))
  redis.call('EXPIRE', key, QUOTA_TTL)
end

-- Where nothing is granted, a bucket that was misdated is kept all the same: else each question would put it off anew.
local function charge(keys, ask, part, granted)
  for _, limit in ipairs(part) do
    if SPANS[limit.name] and (granted > 0 or limit.misdated) then
      limit.owed = limit.owed + granted * SPANS[limit.name]
      redis.call('HSET', limit.key, limit.name, whole(limit.owed) .. '@' .. whole(limit.at))
      redis.call('EXPIRE', limit.key, BUCKETS_TTL)
    end
  end
  if granted > 0 then count_in_cell(keys[4], ask.accept_time, granted) end
end

local function entry(limit, ask, granted)
  local refused = limit.free < ask.cost
  local detail = limit.total or (refused and SPANS[limit.name] and wait(limit, ask.cost - granted, ask.now)) or 0
  return { limit.name, limit.value, limit.from, limit.free - granted, refused and 1 or 0, detail }
end

-- Decides and charges; the same spend again is answered as it was. One that was refused charged nothing, and is not kept.
local function spend(keys, args)
  local ask = asked(args)
  local known = redis.call('GET', keys[5])
  if known then return cmsgpack.unpack(string.sub(known, HEADER + 1)).reply end
  local part, need = weigh(keys, ask)
  if need then return need end
  local granted = grant(ask, part)
  charge(keys, ask, part, granted)
  local entries = {}
  for _, limit in ipairs(part) do table.insert(entries, entry(limit, ask, granted)) end
  local reply = decided(ask, granted, entries, part)
  if granted > 0 then
    local record = cmsgpack.pack({ reply = reply, back = granted })
    redis.call('SET', keys[5], ask.header .. record, 'EX', SPEND_TTL)
  end
  return reply
end

-- Looks without charging: each limit, what it has left, and how long until it is full.
local function peek(keys, args)
  local ask = asked(args)
  local part, need = weigh(keys, ask)
  if need then return need end
  local entries = {}
  for _, limit in ipairs(part) do
    local detail = limit.total or wait(limit, limit.value, ask.now)
    table.insert(entries, { limit.name, limit.value, limit.from, limit.free, 0, detail })
  end
  return decided(ask, 0, entries, part)
end

local function give_back(key, name, count)
  local debt, at = string.match(redis.call('HGET', key, name) or '', '(%d+)@(%d+)')
  if debt then
    debt = math.max(0, tonumber(debt) - count * SPANS[name])
    redis.call('HSET', key, name, whole(debt) .. '@' .. at)
  end
end

-- A cell that is gone is in the ledger's total, which never counts what did not become a scan.
local function take_from_cell(key, accept_time, count)
  local cell = whole(accept_time - accept_time % CELL)
  local back = math.min(count, tonumber(redis.call('HGET', key, cell)) or 0)
  if back > 0 then
    redis.call('HINCRBY', key, cell, -back)
    redis.call('HINCRBY', key, 'pending', -back)
  end
end

-- Gives back up to ARGV[1] of what a spend was granted, once.
local function refund(keys, args)
  local known = redis.call('GET', keys[5])
  if not known then return 0 end
  local record = cmsgpack.unpack(string.sub(known, HEADER + 1))
  local count = math.min(tonumber(args[1]), record.back)
  if count <= 0 then return 0 end
  record.back = 0
  redis.call('SET', keys[5], string.sub(known, 1, HEADER) .. cmsgpack.pack(record), 'KEEPTTL')
  for _, limit in ipairs(record.reply[6]) do
    local name = limit[1]
    if SPANS[name] then give_back(string.sub(name, 1, 8) == 'scanner.' and keys[2] or keys[3], name, count) end
  end
  take_from_cell(keys[4], record.reply[3], count)
  return count
end

-- Drops the cells that the ledger's total holds by now; the others are pending.
local function drop_cells(key, watermark)
  local fields, pending = redis.call('HGETALL', key), 0
  for index = 1, #fields, 2 do
    local start = tonumber(fields[index])
    if start and start < watermark then
      redis.call('HDEL', key, fields[index])
    elseif start then
      pending = pending + tonumber(fields[index + 1])
    end
  end
  redis.call('HSET', key, 'pending', pending)
end

-- ARGV: now, total, watermark, as_of. Only forward: a total and its watermark are one record, and an older one is nothing.
local function rebase(keys, args)
  local company, quota, now = keys[3], keys[4], tonumber(args[1])
  local total, watermark, as_of = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local known = redis.call('HMGET', quota, 'total', 'watermark', 'as_of')
  local before = tonumber(known[2]) or 0
  if watermark < before then return 0 end
  if watermark == before then
    total, as_of = math.max(total, tonumber(known[1])), math.max(as_of, tonumber(known[3]))
  end
  redis.call('HSETNX', quota, 'since', whole(now))
  redis.call('HSET', quota, 'total', whole(total), 'watermark', whole(watermark), 'as_of', whole(as_of))
  redis.call('EXPIRE', quota, QUOTA_TTL)
  if watermark > before then drop_cells(quota, watermark) end
  if watermark > (tonumber(redis.call('HGET', company, 'watermark')) or 0) then
    redis.call('HSET', company, 'watermark', whole(watermark))
    redis.call('EXPIRE', company, BUCKETS_TTL)
  end
  return 1
end

-- ARGV: revision, read_time, then fields and values. Replaces the whole, unless a newer one is there.
local function set_overrides(keys, args)
  local key, known = keys[1], redis.call('HGET', keys[1], 'revision')
  if known and tonumber(known) > tonumber(args[1]) then return 0 end
  redis.call('DEL', key)
  redis.call('HSET', key, 'revision', args[1], 'read_time', args[2])
  for index = 3, #args, 2 do redis.call('HSET', key, args[index], args[index + 1]) end
  redis.call('EXPIRE', key, OVERRIDES_TTL)
  return 1
end

redis.register_function('limits_spend_@VERSION@', spend)
redis.register_function('limits_refund_@VERSION@', refund)
redis.register_function('limits_rebase_@VERSION@', rebase)
redis.register_function('limits_override_@VERSION@', set_overrides)
redis.register_function({ function_name = 'limits_peek_@VERSION@', callback = peek, flags = { 'no-writes' } })
