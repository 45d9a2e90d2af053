az containerapp update -n gateway -g shop --image mcr.microsoft.com/azure-api-management/gateway:2.9.1 \
  --set-env-vars telemetry.logs.std=json config.service.auth=secretref:token telemetry.logs.std.level=secretref:level
az containerapp up -n gateway --image mcr.microsoft.com/azure-api-management/gateway:2.9.1 --env-vars telemetry.logs.std=json
az containerapp create -n gateway -g shop --yaml app.yaml
az containerapp create -n gateway -g shop --args "--old" --image "mcr.microsoft.com/azure-api-management/gateway:2.9.1"
