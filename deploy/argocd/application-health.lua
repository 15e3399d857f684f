-- The health of an Application, for the waves of Applications: Argo CD has none of its own.
local health = { status = "Progressing", message = "" }
if obj.status ~= nil and obj.status.health ~= nil then
  health.status = obj.status.health.status
  if obj.status.health.message ~= nil then health.message = obj.status.health.message end
end
return health
