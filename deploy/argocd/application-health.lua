-- The health of an Application, for waves of Applications: Argo CD comes without one.
local health = { status = "Progressing", message = "" }
if obj.status ~= nil and obj.status.health ~= nil then
  health.status = obj.status.health.status
  if obj.status.health.message ~= nil then health.message = obj.status.health.message end
end
return health
