helm repo add azure-apim-gateway https://azure.github.io/api-management-self-hosted-gateway/helm-charts/
helm upgrade --install shop azure-apim-gateway/azure-api-management-gateway --version 1.15.1 \
  --namespace gateway -f values.yaml \
  --set gateway.configuration.uri=shop.configuration.azure-api.net \
  --set gateway.auth.key="$TOKEN" \
  --set gateway.name=shop,replicaCount=3 \
  --set observability.logs.std.format=json \
  --set dapr.enabled=true
