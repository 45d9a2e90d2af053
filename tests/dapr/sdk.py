"""Asks a sidecar what Dapr's SDK for Python asks: one line of JSON for each answer."""

import json

from dapr.clients import DaprClient

with DaprClient() as client:
    answer = client.invoke_method(
        "orders", "api/v1/orders", data=json.dumps({"order": 1}), content_type="application/json",
        http_verb="POST", http_querystring=(("page", "2"),))
    print(json.dumps({"invoke": [answer.status_code, answer.text()]}))
    client.publish_event(
        "pubsub", "new", json.dumps({"order": 1}), data_content_type="application/json")
    print(json.dumps({"publish": True}))
    answer = client.invoke_binding(
        "mails", "create", data=json.dumps({"order": 1}), binding_metadata={"to": "sales"})
    print(json.dumps({"binding": json.loads(answer.data)}))
    try:
        client.publish_event("absent", "new", "x")
    except Exception as error:  # what it is called differs between versions
        print(json.dumps({"refused": str(error)}))
    found = client.get_metadata()
    print(json.dumps({"metadata": [it.name for it in found.registered_components]}))
