-- RoleReady: whether the role lets workspaces do what they should, and nothing else; Unknown where the operator may not read it, which
-- keeps nobody from working. RolledOut: whether all tenants of the class have the present pod template.
local hs = { status = "Progressing", message = "The operator has not looked at it since its last change" }
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local role, rollout = nil, nil
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "RoleReady" then
    role = condition
  elseif condition.type == "RolledOut" then
    rollout = condition
  end
end
if role == nil then
  return hs
end

hs.message = role.message
if role.status == "False" then
  hs.status = "Degraded"
elseif rollout ~= nil and rollout.status == "False" then
  hs.status = rollout.reason == "RolloutStopped" and "Degraded" or "Progressing"
  hs.message = rollout.message
else
  hs.status = "Healthy"
end
return hs
