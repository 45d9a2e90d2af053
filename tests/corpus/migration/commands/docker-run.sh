#!/bin/sh
# Starts the gateway of the shop.
docker pull mcr.microsoft.com/azure-api-management/gateway:v2
docker run -d -p 80:8080 -p 443:8081 \
  -p 4290:4290/udp -p 4291:4291/udp \
  --name shop-gateway --restart unless-stopped \
  --env-file shop.env \
  -e config.service.endpoint=shop.configuration.azure-api.net \
  -e "telemetry.logs.std=json" \
  --env telemetry.logs.std.level=warn \
  -v shop-backup:/apim/config \
  mcr.microsoft.com/azure-api-management/gateway:v2
