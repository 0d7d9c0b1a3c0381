"""A real pod: llama.cpp's own OpenAI-compatible server over a tiny random model, which it calls `tiny`.

usage: pod.py PORT      on 127.0.0.1; 0 takes any free port

Prints its URL as one line. Ends when its standard input does, so that it never outlives whoever started it.
"""

import os
import sys
import tempfile

import xllamacpp

import make_model

# Requests that run at the same time; more wait in the pod.
SLOTS = 4
ERRORS_ONLY = 1


def parameters(model, port):
    """How the engine is set up."""
    it = xllamacpp.CommonParams()
    it.model.path = model
    it.model_alias = {"tiny"}
    it.hostnames = ["127.0.0.1"]
    it.port = port
    it.n_parallel = SLOTS
    it.n_ctx = SLOTS * make_model.CONTEXT
    it.cpuparams.n_threads = 1
    it.warmup = False
    it.endpoint_metrics = True
    it.verbosity = ERRORS_ONLY
    return it


def main():
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "tiny.gguf")
        make_model.write(model)
        server = xllamacpp.Server(parameters(model, int(sys.argv[1])))
    print(server.listening_address, flush=True)
    sys.stdin.read()


main()
