// Asks a sidecar what Dapr's SDK for JavaScript asks over HTTP: one line of JSON for each answer.

const { CommunicationProtocolEnum, DaprClient, HttpMethod } = require("@dapr/dapr");

const say = (what) => console.log(JSON.stringify(what));

(async () => {
  const client = new DaprClient({
    daprHost: "127.0.0.1",
    daprPort: process.env.DAPR_HTTP_PORT,
    daprApiToken: process.env.DAPR_API_TOKEN,
    communicationProtocol: CommunicationProtocolEnum.HTTP,
    logger: { level: "error" },
  });
  const target = "api/v1/orders?page=2";
  say({ invoke: await client.invoker.invoke("orders", target, HttpMethod.POST, { order: 1 }) });
  const published = await client.pubsub.publish("pubsub", "new", { order: 1 });
  say({ publish: published.error === undefined });
  say({ binding: await client.binding.send("mails", "create", { order: 1 }, { to: "sales" }) });
  const refused = await client.pubsub.publish("absent", "new", "x");
  say({ refused: String(refused.error) });
  const found = await client.metadata.get();
  say({ metadata: found.components.map((it) => it.name) });
  await client.stop();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
