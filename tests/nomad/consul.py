#!/usr/bin/env python3
"""Answers a Nomad client as far as it asks a Consul agent for script checks, and writes down what they came to.

    consul.py PORT FILE     one line `<status> <output>` for each report of a check
"""
import http.server
import json
import sys

SELF = {
    "Config": {"Version": "1.18.0", "Revision": "0", "Datacenter": "dc1", "NodeName": "stand-in", "Server": True},
    "Member": {"Tags": {"segment": ""}},
    "DebugConfig": {"ConnectEnabled": False, "GRPCPort": -1, "GRPCTLSPort": -1, "DNSPort": -1, "DNSAddrs": []},
    "Stats": {},
}
services, checks = {}, {}


class Agent(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answers = {"/v1/agent/self": SELF, "/v1/agent/services": services, "/v1/agent/checks": checks}
        self.answer(answers.get(self.path.partition("?")[0], []))

    def do_PUT(self):
        path = self.path.partition("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        name = path.rpartition("/")[2]
        if path == "/v1/agent/service/register":
            services[body["ID"]] = body | {"Service": body["Name"]}
        elif path == "/v1/agent/check/register":
            checks[body["ID"]] = body | {"CheckID": body["ID"]}
        elif path.startswith("/v1/agent/check/update/"):
            with open(sys.argv[2], "a", encoding="utf-8") as file:
                file.write(f"{body['Status']} {body['Output'].strip()}\n")
        elif path.startswith("/v1/agent/service/deregister/"):
            services.pop(name, None)
        elif path.startswith("/v1/agent/check/deregister/"):
            checks.pop(name, None)
        self.answer({})

    def answer(self, value):
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Agent).serve_forever()
