#!/usr/bin/env python3
"""A worker for the plugin job-fsm that transcodes films with ffmpeg.

It claims jobs, runs one command for each, and tells the gateway how far it is. It needs nothing but
Python 3.9 and survives what happens to workers:

- It is killed: the lease ends, and the job is tried again. A worker that starts again at the same
  address says so by registering, and the gateway does not wait for the lease.
- The gateway is away: each call is repeated until it answers.
- It was thought dead: the answer to its next heartbeat is 409, and it stops the command. Each attempt
  writes into a file of its own, which gets the name of the output when the command has succeeded, so two
  attempts never write into one file.

Begin reading at `work`.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

stopping = threading.Event()


class Refused(Exception):
    """The gateway has answered, and says no."""

    def __init__(self, problem):
        super().__init__(problem.get("detail"))
        self.code = problem.get("code")


def call(options, path, body):
    """Ask until there is an answer."""
    headers = {"content-type": "application/json"}
    if key := os.environ.get("LOGGIA_KEY"):
        headers["authorization"] = f"Bearer {key}"
    url = f"{options.gateway}/v1/job-fsm/{path}"
    pause = 0.1
    while True:
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if not problem.get("retryable") and error.code < 500:
                raise Refused(problem) from None
        except OSError:
            pass
        if stopping.is_set() and pause > 2:
            raise SystemExit("the gateway does not answer")
        time.sleep(pause)
        pause = min(pause * 2, 5)


def register(options):
    """Say what this machine can do. At an address that is known, what it ran before is tried again."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    about = {
        "name": options.address,
        "address": options.address,
        "type": "server",
        "cpu_threads": os.cpu_count() or 1,
        "has_gpu": options.gpu,
        "ram_total_bytes": memory,
    }
    return call(options, "workers", about)["id"]


def keep_alive(options, worker):
    while not stopping.wait(20):
        call(options, f"workers/{worker}:heartbeat", {})


def work(options, worker):
    """Run jobs one after the other, until this worker is told to stop."""
    claim = {"worker_id": worker, "lease_seconds": options.lease, "wait_seconds": 10}
    while not stopping.is_set():
        try:
            jobs = call(options, "jobs:claim", claim)["jobs"]
        except Refused as refused:
            if refused.code != "worker-offline":
                raise
            call(options, f"workers/{worker}:heartbeat", {})
            continue
        for job in jobs:
            run(options, job)


def run(options, job):
    path, token = f"jobs/{urllib.parse.quote(job['id'], safe='')}", job["lease"]["token"]
    try:
        call(options, f"{path}:start", {"token": token})
        report = transcode(options, job, lambda said: call(options, f"{path}:heartbeat", {"token": token, **said}))
        verb = "fail" if "error" in report else "complete"
        call(options, f"{path}:{verb}", {"token": token, **report})
        print(f"{job['id']}: {verb}", flush=True)
    except Refused as refused:
        # Most likely it is another worker's by now.
        print(f"{job['id']}: {refused.code}: {refused}", flush=True)


def transcode(options, job, heartbeat):
    """Run the command, and answer what to tell of it."""
    said = job["parameters"]
    if "input" not in said or "output" not in said:
        return {"error": "non-retryable: parameters.input and parameters.output are needed", "failure_reason": "user_error"}
    part = f"{said['output']}.{job['lease']['token']}.part"
    command = [
        options.ffmpeg, "-y", "-nostdin", "-loglevel", "error", "-progress", "pipe:1",
        "-threads", str(said.get("threads", 0)), "-i", said["input"],
        "-c:v", said.get("codec", "libx264"), "-f", said.get("format", "mp4"), part,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
    reader.start()
    try:
        while True:
            try:
                status = process.wait(timeout=options.lease / 3)
                break
            except subprocess.TimeoutExpired:
                heartbeat(progress(lines, said.get("duration")))
    except Refused:
        process.kill()
        process.wait()
        raise
    reader.join()
    if status != 0:
        errors = [line.strip() for line in lines if not re.match(r"\w+=", line)]
        return {"error": f"exit {status}: {' '.join(errors)}"[:4_000], "failure_reason": "runtime_error"}
    os.replace(part, said["output"])
    return {"result": {"output": said["output"], "bytes": os.path.getsize(said["output"])}}


def progress(lines, duration):
    """How far ffmpeg is: it says `out_time_us=` about twice in a second."""
    times = [line for line in lines if line.startswith("out_time_us=")]
    done = times[-1].strip().removeprefix("out_time_us=") if times else ""
    if not duration or not done.isdigit():
        return {}
    return {"progress": min(100.0, int(done) / 1e4 / duration)}


def main():
    parser = argparse.ArgumentParser(description="Run jobs of the plugin job-fsm with ffmpeg.")
    parser.add_argument("--gateway", default="http://127.0.0.1:8080")
    parser.add_argument("--address", default=os.uname().nodename, help="what tells this worker from others")
    parser.add_argument("--slots", type=int, default=1, help="how many jobs to run at a time")
    parser.add_argument("--lease", type=float, default=30, help="seconds for which a job is claimed at a time")
    parser.add_argument("--gpu", action="store_true", help="this machine has one")
    parser.add_argument("--ffmpeg", default="ffmpeg", help="the program to run")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    worker = register(options)
    print(f"worker {worker} at {options.address}", flush=True)
    threading.Thread(target=keep_alive, args=(options, worker), daemon=True).start()
    slots = [threading.Thread(target=work, args=(options, worker)) for _ in range(options.slots)]
    for slot in slots:
        slot.start()
    for slot in slots:
        slot.join()


if __name__ == "__main__":
    main()
