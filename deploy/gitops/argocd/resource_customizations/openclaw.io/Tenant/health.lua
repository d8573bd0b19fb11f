-- A Tenant keeps to kstatus: Ready, Reconciling and Stalled, for the generation in status.observedGeneration, which is -1
-- before anybody has looked.
local hs = { status = "Progressing", message = "The operator has not looked at it since its last change" }
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local ready, stalled = nil, false
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  elseif condition.type == "Stalled" and condition.status == "True" then
    stalled = true
  end
end
if ready == nil then
  return hs
end
hs.message = ready.message

if stalled then
  hs.status = "Degraded" -- only a person can help; the message says how
elseif ready.reason == "DeletionHeld" then
  hs.status = "Suspended" -- goes on when an administrator confirms it
elseif obj.metadata.deletionTimestamp ~= nil then
  hs.status = "Progressing"
elseif ready.reason == "Paused" then
  -- Nothing is written on request. What has drifted meanwhile is not mended.
  hs.status = ready.status == "True" and "Suspended" or "Degraded"
elseif ready.status == "True" then
  hs.status = ready.reason == "Suspended" and "Suspended" or "Healthy"
end
return hs
