#!/bin/sh
docker run -d mcr.microsoft.com/azure-api-management/gateway:2.5.0
if ! docker run -d -e telemetry.logs.std=json -e config.service.endpoint=x.configuration.azure-api.net mcr.microsoft.com/azure-api-management/gateway:2.5.0; then
  exit 1
fi
FOO=1 exec docker run -e telemetry.logs.std=json -v /x:/apim/config mcr.microsoft.com/azure-api-management/gateway:2.5.0
az containerapp create -n b --image $IMG --env-vars config.service.endpoint=x
