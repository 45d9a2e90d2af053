az containerapp create --name shop-gateway --resource-group shop \
  --environment shop-apps \
  --image mcr.microsoft.com/azure-api-management/gateway:2.9.0 \
  --target-port 8080 --ingress external --min-replicas 1 --max-replicas 1 \
  --env-vars config.service.endpoint=shop.configuration.azure-api.net config.service.auth=secretref:token telemetry.logs.std=json net.server.http.forwarded.proto.enabled=true
