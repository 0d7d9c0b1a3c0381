"""Calls servers with OpenAI's own Python client and tells what it got.

A line of standard input is a list of calls in JSON, which are made at the same time; for each line comes one line of
standard output: the list of their outcomes, in the same order. Ends when its standard input does.

A call:
    base         the server, as http://HOST:PORT
    user         who calls; null is nobody
    method       "models.list", "chat.completions.create" or "completions.create"
    arguments    of the method
    leave_after  of a stream: how many chunks are read before the connection is closed; null reads all

An outcome has one of
    answer       what came whole
    chunks       what came of a stream
    error        the name of the client's exception, its status, code and param
"""

import itertools
import json
import operator
import sys
from concurrent.futures import ThreadPoolExecutor

import openai

# It keeps a server that hangs from hanging the test; nothing depends on how fast a server is.
LONGEST_SILENCE_SECONDS = 60
CLIENT = openai.OpenAI(
    api_key="none",
    max_retries=0,
    timeout=LONGEST_SILENCE_SECONDS,
    # Whatever proxy the machine has: these servers are here.
    http_client=openai.DefaultHttpxClient(trust_env=False),
)


def outcome(call):
    headers = {} if call["user"] is None else {"user": call["user"]}
    client = CLIENT.with_options(base_url=f"{call['base']}/v1", default_headers=headers)
    method = operator.attrgetter(call["method"])(client)
    try:
        reply = method(**call["arguments"])
        if not isinstance(reply, openai.Stream):
            return {"answer": reply.to_dict()}
        with reply:
            return {"chunks": [chunk.to_dict() for chunk in itertools.islice(reply, call["leave_after"])]}
    except openai.APIStatusError as error:
        name = type(error).__name__
        return {"error": {"name": name, "status": error.status_code, "code": error.code, "param": error.param}}


def main():
    for line in sys.stdin:
        calls = json.loads(line)
        with ThreadPoolExecutor(len(calls)) as threads:
            print(json.dumps(list(threads.map(outcome, calls))), flush=True)


main()
