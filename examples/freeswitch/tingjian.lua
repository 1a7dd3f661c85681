-- Streams the voice of one leg to the recogniser behind tingjian's relay: execute_on_answer = "lua tingjian.lua ROLE".
-- The variables tingjian_call and tingjian_agent of the leg name the call and the agent.
local relay = "ws://127.0.0.1:8787/v1/relay/funasr"

local function escaped(text)
  return (text:gsub("[^%w%-%._~]", function(c) return string.format("%%%02X", c:byte()) end))
end

local uuid, role = session:get_uuid(), argv[1]
local call = session:getVariable("tingjian_call") or uuid
local agent = session:getVariable("tingjian_agent") or ""
local url = relay .. "?role=" .. role .. "&call_id=" .. escaped(call)
-- Whoever speaks first may start the call; the customer's words wait for the agent's answer.
if role == "agent" and agent ~= "" then url = url .. "&agent_id=" .. escaped(agent) end
-- The first message of a FunASR session. It has no spaces, because the command is cut at them.
local begin = '{"mode":"2pass","chunk_size":[5,10,5],"wav_name":"' .. role .. '","wav_format":"pcm","audio_fs":16000,"is_speaking":true}'
-- No text of the recogniser's into FreeSWITCH's log.
session:setVariable("STREAM_SUPPRESS_LOG", "true")
freeswitch.API():executeString("uuid_audio_stream " .. uuid .. " start " .. url .. " mono 16k " .. begin)
