docker run -d -p80:8080 -p4290:4290/udp -eTZ=Europe/Berlin -econfig.service.endpoint=shop.configuration.azure-api.net \
  -e"telemetry.logs.std=json" --env=telemetry.logs.std.level=warn -e HOME -e telemetry.logs.std.color \
  -vbackup:/apim/config mcr.microsoft.com/azure-api-management/gateway:2.9.1
docker run -dp 443:8081 mcr.microsoft.com/azure-api-management/gateway:2.9.1
