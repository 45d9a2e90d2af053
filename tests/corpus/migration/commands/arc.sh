# The gateway in the factory.
az k8s-extension create --cluster-type connectedClusters --cluster-name factory \
  --resource-group plants --name factory-gateway --extension-type Microsoft.ApiManagement.Gateway \
  --scope namespace --target-namespace gateway --release-namespace gateway \
  --configuration-settings gateway.configuration.uri='shop.configuration.azure-api.net' \
  gateway.auth.token='GatewayKey factory&202608010000&c2lnbmF0dXJl' \
  service.type='LoadBalancer' service.http.port=80 \
  telemetry.logs.std=json telemetry.metrics.localStatsd.endpoint=statsd:8125 \
  telemetry.logs.localConfig.rfc5424.endpoint=logs:514 \
  monitoring.workspaceId=1234 replicaCount=2 \
  --release-train preview
