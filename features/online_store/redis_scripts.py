"""What Redis does by itself, in one step each: newest wins, and generations.

`KEYS` are always the state, the live rows, the rows of a refresh under way, the schemas, and a name
for rows on their way out. Times in rows are compared as numbers of 32 bits: Lua compares strings by
the server's locale, and its numbers hold no more than 53 bits.
"""

_NEWEST_WINS = """
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

local function refreshes()
    local names = redis.call('HMGET', KEYS[1], 'live', 'refresh')
    return names[1], names[2]
end
"""

UNREGISTERED, DISPLACED = -1, -2

WRITE = (
    _NEWEST_WINS
    + """
if redis.call('EXISTS', KEYS[4]) == 0 then return {-1} end
local live, under_way = refreshes()
local names
if ARGV[1] == 'any' then
    names = under_way and {KEYS[2], KEYS[3]} or {KEYS[2]}
elseif ARGV[2] == under_way then
    names = {KEYS[3]}
elseif ARGV[2] == live then
    names = {KEYS[2]}
else
    return {-2, under_way}
end
local count = (#ARGV - 2) / 2
local fields, rows = {}, {}
for i = 1, count do
    fields[i] = ARGV[2 + i]
    rows[i] = ARGV[2 + count + i]
end
for _, name in ipairs(names) do write(name, fields, rows) end
return {count}
"""
)
"""Writes keys, then their rows, to the refresh ARGV[2], or to all where ARGV[1] is 'any'."""

BEGIN = """
if redis.call('EXISTS', KEYS[4]) == 0 then return {-1} end
if redis.call('HGET', KEYS[1], 'refresh') == ARGV[1] then
    return {tonumber(redis.call('HGET', KEYS[1], 'progress'))}
end
redis.call('UNLINK', KEYS[3])
redis.call('HSET', KEYS[1], 'refresh', ARGV[1], 'progress', 0)
return {0}
"""
"""Begins or resumes the refresh ARGV[1] and returns its progress."""

NOTE_PROGRESS = """
if redis.call('HGET', KEYS[1], 'refresh') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'progress', ARGV[2])
end
return {0}
"""
"""Remembers the progress ARGV[2] of the refresh ARGV[1]."""

KEEP = (
    _NEWEST_WINS
    + """
local _, under_way = refreshes()
if ARGV[1] ~= under_way then return {'0'} end
local answer = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', 500)
local fields, rows = {}, {}
local after = string.rep('\\0', 6) .. ARGV[3] .. string.rep('\\255', 8)
for i = 1, #answer[2], 2 do
    local row = answer[2][i + 1]
    if #row >= 22 and is_older(after, row) then
        fields[#fields + 1] = answer[2][i]
        rows[#rows + 1] = row
    end
end
write(KEYS[3], fields, rows)
return {answer[1]}
"""
)
"""Copies live rows later than ARGV[3] to the refresh ARGV[1], some at a time, from ARGV[2] on."""

PUBLISH = """
local names = redis.call('HMGET', KEYS[1], 'live', 'refresh')
if ARGV[1] == names[2] then
    if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[5]) end
    if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[2]) end
    redis.call('HSET', KEYS[1], 'live', ARGV[1])
    redis.call('HDEL', KEYS[1], 'refresh', 'progress')
    redis.call('UNLINK', KEYS[5])
elseif ARGV[1] ~= names[1] then
    return {-2, names[2]}
end
return {redis.call('HLEN', KEYS[2])}
"""
"""Makes the rows of the refresh ARGV[1] the live ones and returns their number."""

ABANDON = """
if redis.call('HGET', KEYS[1], 'refresh') == ARGV[1] then
    redis.call('UNLINK', KEYS[3])
    redis.call('HDEL', KEYS[1], 'refresh', 'progress')
end
return {0}
"""
"""Removes the refresh ARGV[1]."""

DELETE = """
redis.call('HDEL', KEYS[3], unpack(ARGV))
return {redis.call('HDEL', KEYS[2], unpack(ARGV))}
"""
"""Deletes keys and returns how many of them were live."""
