"""Serves LocalStack's KMS provider on a free port of this machine, for the tests of the keyring.

Prints `port N` once it listens and ends when its standard input is closed, so that it does not outlive the test that
started it. The Region is the one of the request's signature, which is not checked. Nothing of the provider is patched:
what it does is LocalStack's reading of AWS, not AWS.
"""

import json
import logging
import os
import sys
import threading

os.environ.setdefault("DISABLE_EVENTS", "1")

from localstack.aws.api import RequestContext
from localstack.aws.gateway import Gateway
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.constants import DEFAULT_AWS_ACCOUNT_ID
from localstack.services.kms.provider import KmsProvider
from localstack.utils.aws.arns import get_partition
from localstack.utils.aws.request_context import extract_region_from_headers
from rolo.gateway.wsgi import WsgiGateway
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

SERVICE = load_service("kms")
SKELETON = Skeleton(SERVICE, KmsProvider())


def serve(chain, context, response):
    context.service = SERVICE
    context.region = extract_region_from_headers(context.request.headers)
    context.partition = get_partition(context.region)
    context.account_id = DEFAULT_AWS_ACCOUNT_ID
    response.update_from(SKELETON.invoke(context))


def fail(chain, exception, context, response):
    logging.exception("the provider failed", exc_info=exception)
    response.status_code = 500
    response.data = json.dumps({"__type": "KMSInternalException", "message": str(exception)})


class KeepAlive(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def main():
    gateway = Gateway(request_handlers=[serve], exception_handlers=[fail], context_class=RequestContext)
    server = ThreadedWSGIServer("127.0.0.1", 0, WsgiGateway(gateway), handler=KeepAlive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"port {server.server_port}", flush=True)
    sys.stdin.read()


main()
