"""What Redis does by itself, in one step each: newest wins, and generations.

`KEYS` are always those of `redis_names.ViewNames.all`. Times in rows are compared as numbers of 32
bits: Lua compares strings by the server's locale, and its numbers hold no more than 53 bits.
"""

UNREGISTERED, DISPLACED = -1, -2

_START = """
local STATE, LIVE, PUSHED, SCHEMAS, LEAVING, BESIDE = unpack(KEYS)

local function is_older(new, old)
    if #old < 22 then return false end
    local a, b, c, d = struct.unpack('>I4I4I4I4', new, 7)
    local e, f, g, h = struct.unpack('>I4I4I4I4', old, 7)
    if a ~= e then return a < e end
    if b ~= f then return b < f end
    if c ~= g then return c < g end
    return d < h
end

local function write(name, fields, rows)
    if #fields == 0 then return end
    local stored = redis.call('HMGET', name, unpack(fields))
    local pairs_to_set = {}
    for i = 1, #fields do
        if not stored[i] or not is_older(rows[i], stored[i]) then
            pairs_to_set[#pairs_to_set + 1] = fields[i]
            pairs_to_set[#pairs_to_set + 1] = rows[i]
        end
    end
    if #pairs_to_set > 0 then redis.call('HSET', name, unpack(pairs_to_set)) end
end

local function scan(name, cursor, after)
    local answer = redis.call('HSCAN', name, cursor, 'COUNT', 500)
    local fields, rows = {}, {}
    for i = 1, #answer[2], 2 do
        local row = answer[2][i + 1]
        if not after or (#row >= 22 and is_older(after, row)) then
            fields[#fields + 1] = answer[2][i]
            rows[#rows + 1] = row
        end
    end
    return answer[1], fields, rows
end

local function beside()
    local stage = redis.call('HGET', STATE, 'stage')
    return stage and BESIDE .. stage
end

local function end_refresh()
    local name = beside()
    if name then redis.call('UNLINK', name) end
    redis.call('UNLINK', PUSHED)
    redis.call('HDEL', STATE, 'refresh', 'progress', 'stage')
end
"""

PUSH = (
    _START
    + """
if redis.call('EXISTS', SCHEMAS) == 0 then return {-1} end
local count = #ARGV / 2
local fields, rows = {}, {}
for i = 1, count do
    fields[i] = ARGV[i]
    rows[i] = ARGV[count + i]
end
write(LIVE, fields, rows)
if beside() then write(PUSHED, fields, rows) end
return {count}
"""
)
"""Writes keys, then their rows: live, and to be remembered if a refresh is under way."""

BEGIN = (
    _START
    + """
if redis.call('EXISTS', SCHEMAS) == 0 then return {-1} end
if redis.call('HGET', STATE, 'refresh') == ARGV[1] then
    return {tonumber(redis.call('HGET', STATE, 'progress'))}
end
end_refresh()
local stage = redis.call('HINCRBY', STATE, 'stages', 1)
redis.call('UNLINK', BESIDE .. stage)
redis.call('HSET', STATE, 'refresh', ARGV[1], 'stage', stage, 'progress', 0)
return {0}
"""
)
"""Begins or resumes the refresh ARGV[1] and returns its progress."""

NOTE_PROGRESS = (
    _START
    + """
if redis.call('HGET', STATE, 'refresh') == ARGV[1] then
    redis.call('HSET', STATE, 'progress', ARGV[2])
end
return {0}
"""
)
"""Remembers the progress ARGV[2] of the refresh ARGV[1]."""

KEEP = (
    _START
    + """
if redis.call('HGET', STATE, 'refresh') ~= ARGV[1] then return {'0'} end
local after = string.rep('\0', 6) .. ARGV[3] .. string.rep('\255', 8)
local cursor, fields, rows = scan(LIVE, ARGV[2], after)
write(PUSHED, fields, rows)
return {cursor}
"""
)
"""Counts live rows later than ARGV[3] as pushed during the refresh ARGV[1], from cursor ARGV[2]."""

PUBLISH = (
    _START
    + """
local live, under_way = unpack(redis.call('HMGET', STATE, 'live', 'refresh'))
if ARGV[1] == under_way then
    local name, cursor = beside(), '0'
    repeat
        local fields, rows
        cursor, fields, rows = scan(PUSHED, cursor)
        write(name, fields, rows)
    until cursor == '0'
    if redis.call('EXISTS', LIVE) == 1 then redis.call('RENAME', LIVE, LEAVING) end
    if redis.call('EXISTS', name) == 1 then redis.call('RENAME', name, LIVE) end
    end_refresh()
    redis.call('HSET', STATE, 'live', ARGV[1])
    redis.call('UNLINK', LEAVING)
elseif ARGV[1] ~= live then
    return {-2, under_way}
end
return {redis.call('HLEN', LIVE)}
"""
)
"""Makes the rows of the refresh ARGV[1] the live ones and returns their number."""

ABANDON = (
    _START
    + """
if redis.call('HGET', STATE, 'refresh') == ARGV[1] then end_refresh() end
return {0}
"""
)
"""Removes the refresh ARGV[1]."""

DELETE = (
    _START
    + """
local name = beside()
if name then redis.call('HDEL', name, unpack(ARGV)) end
redis.call('HDEL', PUSHED, unpack(ARGV))
return {redis.call('HDEL', LIVE, unpack(ARGV))}
"""
)
"""Deletes keys and returns how many of them were live."""

DROP = (
    _START
    + """
end_refresh()
redis.call('UNLINK', STATE, LIVE, SCHEMAS, LEAVING)
return {0}
"""
)
"""Removes everything."""
