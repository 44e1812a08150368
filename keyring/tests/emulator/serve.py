"""Serves STS, IAM and KMS on one free port of this machine, for the tests.

Two emulators do the work: ministack checks signatures, sessions, trust policies with their ExternalId, IAM policies and
key policies; LocalStack's KMS provider keeps the keys. Neither is AWS, and what is put between them here is our reading
of AWS:

- KMS requests that ministack has let pass go to LocalStack's provider, and the key policy that ministack asks for is
  the one that LocalStack keeps.
- A refusal by KMS has the status 400, as AWS has it, and not 403.
- A session that has expired stays known: AWS calls it expired for ever, ministack forgets it and calls it unknown.
- New material of a multi-Region key reaches its replicas, as the documentation of AWS says.
- `POST /expire-sessions` ends all sessions at once. Nothing else is added: outages are the work of a proxy in front.

The Region is the one of the request's signature. An access key of twelve digits is the root of that account, whose
signature is not checked: with it a test does what the owner of an account does.

Prints `port N` once it listens, and ends when its standard input is closed, so that it does not outlive the test that
started it.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import threading

os.environ.update(AUTH="true", BIND_HOST="127.0.0.1", IOT_MTLS_ENABLED="0", SFTP_ENABLED="0", DISABLE_EVENTS="1")
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
    # ministack takes a key that stands there for the root's.
    os.environ.pop(name, None)

from hypercorn.asyncio import serve
from hypercorn.config import Config
from localstack.aws.api import RequestContext
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.kms.models import kms_stores
from localstack.services.kms.provider import KmsProvider
from localstack.utils.aws.arns import get_partition
from ministack import app as ministack
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import kms, sts
from rolo import Request

SERVICE = load_service("kms")
SKELETON = Skeleton(SERVICE, KmsProvider())


def key_of(arn):
    _, _, _, region, account, resource = arn.split(":", 5)
    return account, kms_stores[account][region].keys.get(resource.removeprefix("key/"))


def key_policy_for_arn(arn):
    account, key = key_of(arn)
    return (key.policy, account) if key else None


async def handle_request(method, path, headers, body, query_params):
    context = RequestContext(Request(method, path, headers=headers, body=body))
    context.service = SERVICE
    context.region = get_region()
    context.partition = get_partition(context.region)
    context.account_id = get_account_id()
    response = SKELETON.invoke(context)
    if response.status_code == 200 and headers["x-amz-target"].endswith(".RotateKeyOnDemand"):
        copy_material(context.account_id, context.region, json.loads(body)["KeyId"])
    return response.status_code, dict(response.headers), response.get_data()


def copy_material(account, region, key_id):
    key_id = key_id.rsplit("/", 1)[-1]
    primary = kms_stores[account][region].keys[key_id]
    for replica in primary.metadata.get("MultiRegionConfiguration", {}).get("ReplicaKeys", []):
        _, key = key_of(replica["Arn"])
        key.crypto_key, key.previous_keys = primary.crypto_key, list(primary.previous_keys)


def denied(service, *args, original=iam_actions.access_denied_response, **kwargs):
    status, headers, body = original(service, *args, **kwargs)
    return 400 if service == "kms" else status, headers, body


kms.key_policy_for_arn = key_policy_for_arn
kms.handle_request = handle_request
iam_actions.access_denied_response = denied
sts._evict_expired_sessions = lambda: None


async def app(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/expire-sessions":
        for session in sts._sessions.values():
            session["Expiration"] = 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
    elif scope["type"] == "http":
        await ministack.app(scope, receive, send)
    elif scope["type"] == "lifespan":
        # ministack's own would look for containers and for scripts to run.
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


def until_closed():
    sys.stdin.read()
    os._exit(0)


def main():
    logging.disable(logging.WARNING)
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 60
    threading.Thread(target=until_closed, daemon=True).start()
    print(f"port {listener.getsockname()[1]}", flush=True)
    asyncio.run(serve(app, config, shutdown_trigger=asyncio.Event().wait))


main()
