az k8s-extension create --cluster-name factory --name=factory-gateway --extension-type Microsoft.ApiManagement.Gateway \
  --scope namespace --target-namespace plant --config-settings telemetry.logs.std=$FORMAT telemetry.logs.local.rfc5424.facility=16
az k8s-extension update --cluster-name factory --name factory-gateway --release-namespace gateway \
  --configuration-settings replicaCount=3 gateway.name=42
az k8s-extension update --name factory-gateway --config-settings-file settings.json
